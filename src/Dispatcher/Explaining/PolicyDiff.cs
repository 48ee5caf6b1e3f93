using System.Text.Json.Serialization;
using Dispatcher.Contracts;
using Dispatcher.Hosting;
using Dispatcher.Judging;
using Dispatcher.Policies;

namespace Dispatcher.Explaining;

/// <summary>The body of <c>POST /api/policies/diff</c>.</summary>
internal sealed record PolicyDiffRequest
{
    /// <summary>A year.</summary>
    public const long MostSeconds = 31_536_000;

    [JsonPropertyName("old")]
    public required BundleReference Old { get; init; }

    [JsonPropertyName("new")]
    public required BundleReference New { get; init; }

    /// <summary>How far back jobs are looked at. Default: 7 days.</summary>
    [JsonPropertyName("since_seconds")]
    public long SinceSeconds { get; init; } = 604_800;
}

/// <summary>A bundle that is kept, by its hash, or a whole one that need not be.</summary>
internal sealed record BundleReference
{
    /// <summary>The hash, the first digits of it (at least 8), or <c>active</c>. Null: <see cref="Archive"/> is meant.</summary>
    [JsonPropertyName("hash")]
    public string? Hash { get; init; }

    /// <summary>What <see cref="Bundle.Archive"/> gives, in base64. Null: <see cref="Hash"/> is meant.</summary>
    [JsonPropertyName("archive")]
    public byte[]? Archive { get; init; }

    public async Task<FoundBundle> FindAsync(KeptBundles kept, string where, CancellationToken cancellationToken)
    {
        if ((Hash is null) == (Archive is null))
        {
            return new FoundBundle(null, Problems.Malformed([new InputError { Code = "hash_or_archive", Where = where, Message = "Both or neither of \"hash\" and \"archive\" is there.", Fix = "Send one of them." }]));
        }

        if (Hash is not null)
        {
            return await kept.FindAsync(Hash, where + "/hash", cancellationToken);
        }

        var load = Bundle.FromArchive(Archive);
        return new FoundBundle(load.Bundle, load.Bundle is null ? Problems.Malformed([.. load.Errors.Select(error => new InputError { Code = error.Code, Where = $"{where}/archive {error.Where}", Message = error.Message, Fix = error.Fix })]) : null);
    }
}

/// <summary>What recorded jobs would get of each of two bundles if they came now.</summary>
internal sealed record PolicyDiffView
{
    public required string Old { get; init; }
    public required string New { get; init; }
    public required DateTimeOffset Since { get; init; }

    /// <summary>How many jobs and denied submissions were decided by both.</summary>
    public required int Jobs { get; init; }

    /// <summary>Denied submissions whose payload was too large to be kept.</summary>
    public required int NotComparable { get; init; }

    /// <summary>There are older jobs in the time asked for; only the newest were looked at.</summary>
    public required bool Truncated { get; init; }

    public required int Widened { get; init; }
    public required int Narrowed { get; init; }

    /// <summary>What changed, first what widened, newest first, at most <see cref="DecidedJobs.MostChanges"/>.</summary>
    public required IReadOnlyList<ChangedJob> Changes { get; init; }
}

/// <summary>A job on which the two bundles differ.</summary>
internal sealed record ChangedJob(
    Guid JobId, string Topic, string Principal, DateTimeOffset CreatedAt, ShortDecision Before, ShortDecision After, IReadOnlyList<string> Widened, IReadOnlyList<string> Narrowed);

/// <summary>A decision in one line.</summary>
internal sealed record ShortDecision(Verdict Verdict, IReadOnlyList<string> Rules, string Reason)
{
    public static ShortDecision Of(Decision decision) => new(decision.Verdict, decision.Rules, decision.Reason);
}
