using Dispatcher.Broker;
using Dispatcher.Dispatching;

namespace Dispatcher.Api;

/// <summary>
/// The state of the server, for operators. Members that are null need the database, which is unavailable, or a right that the caller
/// does not have.
/// </summary>
internal sealed record StatusView(string Version, bool Ready, IReadOnlyDictionary<string, string> Checks, string PolicyHash)
{
    /// <summary>What needs an operator now. Empty: nothing.</summary>
    public IReadOnlyList<StatusProblem> Problems { get; init; } = [];

    /// <summary>Conditions that an operator should know, for which no alert fires. Empty: none.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The subject that pinned the bundle in force. Null: it is not pinned and follows the policy folders.</summary>
    public string? PinnedBy { get; init; }

    /// <summary>When the bundle in force was activated.</summary>
    public DateTimeOffset? PolicyActivatedAt { get; init; }

    /// <summary>The servers that share the database, with the bundle of each. Only for operators and admins: it names hosts.</summary>
    public IReadOnlyList<ProcessView>? Processes { get; init; }

    /// <summary>Live jobs by state, and those that ended within the last hour.</summary>
    public IReadOnlyDictionary<string, int>? Jobs { get; init; }

    /// <summary>The earliest time that has passed at which the sweep had to check a live job. Null also if no job is due.</summary>
    public DateTimeOffset? OldestDueAt { get; init; }

    public OutboxView? Outbox { get; init; }

    public IReadOnlyDictionary<string, PoolView>? Pools { get; init; }

    public WorkerCounts? Workers { get; init; }

    public ApprovalsWaiting? Approvals { get; init; }

    /// <summary>By owner. Only for operators and admins.</summary>
    public IReadOnlyDictionary<string, OwnerDeadLetters>? DeadLetters { get; init; }

    /// <summary>
    /// The queues of the server and the pools, at the last verification. Only for operators and admins. Null also: an embedded server has
    /// none.
    /// </summary>
    public IReadOnlyDictionary<string, QueueLoad>? Queues { get; init; }

    /// <summary>Messages on the broker that had no route. Null: an embedded server has no broker.</summary>
    public UnroutedCount? Unrouted { get; init; }

    /// <summary>The memory or disk alarm for which the broker accepts no messages. Null: it has none.</summary>
    public string? BrokerAlarm { get; init; }

    /// <summary>How far the machine's clock is behind the database's, in seconds; negative: ahead.</summary>
    public double ClockOffsetSeconds { get; init; }

    /// <summary>Greatest age of entries of the timeline that are not sealed yet, in seconds.</summary>
    public double UnsealedSeconds { get; init; }

    /// <summary>When the certificate of HTTPS expires. Null: the server has none.</summary>
    public DateTimeOffset? CertificateExpiresAt { get; init; }
}

/// <summary>Messages that wait to be sent. An operator must resolve a parked message.</summary>
internal sealed record OutboxView(long Waiting, long Parked, DateTimeOffset? OldestAt);

/// <summary>Workers with a recent heartbeat, and those of them that get jobs.</summary>
internal sealed record WorkerCounts(int Live, int Serving);

/// <summary>Jobs that are held for approval.</summary>
internal sealed record ApprovalsWaiting(int Waiting, DateTimeOffset? OldestAt);

/// <summary>The open dead letters of an owner.</summary>
/// <param name="Open">How many there are.</param>
/// <param name="New">Those of the last 15 minutes.</param>
/// <param name="OldestAt">The time of the oldest.</param>
/// <param name="Breach">The oldest is older than 7 days.</param>
internal sealed record OwnerDeadLetters(long Open, long New, DateTimeOffset OldestAt, bool Breach);
