using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Storage.Rows;

namespace Dispatcher.Dispatching;

/// <summary>The target of a request, exactly one, and the reason.</summary>
internal abstract record FreezeTargetRequest
{
    [JsonPropertyName("topic")]
    public string? Topic { get; init; }

    [JsonPropertyName("pool")]
    public string? Pool { get; init; }

    /// <summary>True: every job. An unfreeze then ends the freeze of every job; those of topics and pools stay.</summary>
    [JsonPropertyName("all")]
    public bool All { get; init; }

    /// <summary>1 to 500 characters, for the readers of status and timeline.</summary>
    [JsonPropertyName("reason")]
    public required string Reason { get; init; }
}

/// <summary>The body of <c>POST /api/freezes</c>. It also names one end.</summary>
internal sealed record FreezeRequest : FreezeTargetRequest
{
    /// <summary>How long it holds, in seconds, 1 to 604,800 (7 days).</summary>
    [JsonPropertyName("for_s")]
    public long? ForSeconds { get; init; }

    /// <summary>When it expires (RFC 3339), at most 7 days from now.</summary>
    [JsonPropertyName("until")]
    public DateTimeOffset? Until { get; init; }
}

/// <summary>The body of <c>POST /api/freezes/unfreeze</c>. It names the target as the freeze did.</summary>
internal sealed record UnfreezeRequest : FreezeTargetRequest;

/// <summary>A freeze, as the API shows it.</summary>
/// <param name="FreezeId">Its id, which the timeline names too.</param>
/// <param name="Target"><c>topic</c>, <c>pool</c> or <c>all</c>.</param>
/// <param name="Name">The topic or pool. Null: everything.</param>
/// <param name="Reason">Why it was frozen.</param>
/// <param name="Actor">The subject that froze it.</param>
/// <param name="Since">When the freeze began.</param>
/// <param name="Until">When it expires by itself.</param>
/// <param name="EndedAt">When a person ended it. Null, like the next two: no person has.</param>
/// <param name="EndedBy">The subject that ended it.</param>
/// <param name="EndReason">Why it was ended.</param>
internal sealed record FreezeView(
    Guid FreezeId,
    string Target,
    string? Name,
    string Reason,
    string Actor,
    DateTimeOffset Since,
    DateTimeOffset Until,
    DateTimeOffset? EndedAt,
    string? EndedBy,
    string? EndReason
)
{
    public static FreezeView Of(Freeze freeze) =>
        new(
            freeze.FreezeId,
            freeze.Kind,
            freeze.Target.Length == 0 ? null : freeze.Target,
            freeze.Reason,
            freeze.Actor,
            Timestamps.At(freeze.Since),
            Timestamps.At(freeze.Until),
            Timestamps.At(freeze.EndedAt),
            freeze.EndedBy,
            freeze.EndReason
        );
}

/// <summary>The freezes in force, oldest first, and the last ones that ended or expired, newest first.</summary>
internal sealed record FreezesView(IReadOnlyList<FreezeView> InForce, IReadOnlyList<FreezeView> Past);
