using Dispatcher.Base;

namespace Dispatcher.Storage.Rows;

/// <summary>One worker instance of one pool, as it last reported itself.</summary>
internal sealed record KnownWorker
{
    /// <summary>Three heartbeats of an idle worker. An instance without a heartbeat for longer gets no jobs.</summary>
    public static readonly TimeSpan StaleAfter = TimeSpan.FromSeconds(15);

    public static readonly long StaleAfterUs = Timestamps.Micros(StaleAfter);

    public required string Pool { get; init; }

    /// <summary>The subject of the key it uses.</summary>
    public required string Principal { get; init; }

    /// <summary>The name that the instance gives itself, as in its claims; usually <c>host/pid/random</c>.</summary>
    public required string Instance { get; init; }
    public required string Version { get; init; }
    public required IReadOnlyList<string> Topics { get; init; }
    public required IReadOnlyList<string> Enforcers { get; init; }

    /// <summary>
    /// Constraints that the registry lists for the pool and that this instance does not enforce. If any, it gets no jobs.
    /// </summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>Number of runs that it can have at once. 0: it has stopped.</summary>
    public required int Capacity { get; init; }

    /// <summary>Whether it reports that other instances share its credential.</summary>
    public required bool Shared { get; init; }

    /// <summary>How far its clock is ahead of the database's, in milliseconds; negative: behind. Null: it has not measured.</summary>
    public long? ClockAheadMs { get; init; }

    /// <summary>Number of deliveries that it could not use and dropped.</summary>
    public long Dropped { get; init; }

    /// <summary>Why it could use none of its last deliveries. If not null, it gets no jobs.</summary>
    public string? Dropping { get; init; }
    public long StartedAt { get; init; }
    public long SeenAt { get; init; }

    /// <summary>Whether it can get jobs.</summary>
    public bool Serves(long now) => SeenAt >= now - StaleAfterUs && Capacity > 0 && Missing.Count == 0 && Dropping is null;
}
