using System.Linq.Expressions;

namespace Dispatcher.Storage.Rows;

/// <summary>Stops the dispatch of a topic, of a pool or of everything, until it is ended or expires.</summary>
internal sealed record Freeze
{
    public required Guid FreezeId { get; init; }

    /// <summary>One of <see cref="FreezeKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>The name of the topic or pool. Empty: everything.</summary>
    public required string Target { get; init; }

    public required string Reason { get; init; }

    /// <summary>The subject of the API key.</summary>
    public required string Actor { get; init; }

    public long Since { get; init; }

    /// <summary>From this time on it has no effect, without any statement.</summary>
    public long Until { get; init; }

    /// <summary>When a person ended it. Null, like the next two: no person has.</summary>
    public long? EndedAt { get; init; }

    public string? EndedBy { get; init; }

    public string? EndReason { get; init; }

    /// <summary>Whether it stops the dispatch at <paramref name="now"/>.</summary>
    public static Expression<Func<Freeze, bool>> IsInForce(long now) => freeze => freeze.EndedAt == null && freeze.Until > now;
}

/// <summary>What a freeze can stop, as it is stored.</summary>
internal static class FreezeKinds
{
    public const string Topic = "topic";
    public const string Pool = "pool";
    public const string All = "all";

    public static readonly string[] List = [Topic, Pool, All];
}
