using Dispatcher.Base;

namespace Dispatcher.Storage.Rows;

/// <summary>One instance of a worker for one pool, as it last said of itself.</summary>
internal sealed record KnownWorker
{
    /// <summary>Three heartbeats of an idle worker. An instance that is silent for longer gets no more jobs.</summary>
    public static readonly TimeSpan StaleAfter = TimeSpan.FromSeconds(15);

    public static readonly long StaleAfterUs = Timestamps.Micros(StaleAfter);

    public required string Pool { get; init; }

    /// <summary>The subject of the key it uses.</summary>
    public required string Principal { get; init; }

    /// <summary>Its own name for itself, as in its claims: <c>host/pid/random</c> as a rule.</summary>
    public required string Instance { get; init; }
    public required string Version { get; init; }
    public required IReadOnlyList<string> Topics { get; init; }
    public required IReadOnlyList<string> Enforcers { get; init; }

    /// <summary>Constraints that the pool's entry in the registry lists and this instance does not enforce. Not empty: it counts for nothing.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>How many runs it can have at once. 0: it has stopped.</summary>
    public required int Capacity { get; init; }

    /// <summary>It says that others use its credential too.</summary>
    public required bool Shared { get; init; }

    /// <summary>How far its clock is ahead of the database's, in milliseconds; negative: behind. Null: it has not measured.</summary>
    public long? ClockAheadMs { get; init; }

    /// <summary>Deliveries that it could not use and dropped.</summary>
    public long Dropped { get; init; }

    /// <summary>Why it could use none of its last deliveries. Not null: it counts for nothing.</summary>
    public string? Dropping { get; init; }
    public long StartedAt { get; init; }
    public long SeenAt { get; init; }

    /// <summary>Whether it can be given work.</summary>
    public bool Serves(long now) => SeenAt >= now - StaleAfterUs && Capacity > 0 && Missing.Count == 0 && Dropping is null;
}
