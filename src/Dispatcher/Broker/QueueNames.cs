using Dispatcher.Contracts;

namespace Dispatcher.Broker;

/// <summary>Every name and argument on the broker that is not part of the contracts, in one place. A change of arguments needs a new queue: the broker refuses another declaration.</summary>
internal static class QueueNames
{
    /// <summary>Submissions, bound to <see cref="Exchanges.Jobs"/> with <c>#</c>.</summary>
    public const string Intake = ServerPrefix + "intake";

    /// <summary>Signals that name pools to check. A signal that came back too often is dropped: the sweep checks every pool.</summary>
    public const string Dispatch = ServerPrefix + "dispatch";

    /// <summary>Outcomes of attempts, bound to <see cref="Exchanges.Outcomes"/>.</summary>
    public const string Outcomes = ServerPrefix + "outcomes";

    /// <summary>
    /// Events of approvals, bound to <see cref="Exchanges.Events"/> with <c>approved.#</c>: each is compared with the store, see the consumer of this queue.
    /// </summary>
    public const string ApprovalWatch = ServerPrefix + "approval-watch";

    /// <summary>
    /// What <see cref="Exchanges.Jobs"/> or <see cref="Exchanges.DeadLetter"/> could not route. The server reads it: see UnroutedMessages.
    /// </summary>
    public const string Unrouted = "dispatcher.unrouted";

    /// <summary>Copies of dead letters that no queue of an owner took. The server offers them again: see UndeliveredCopies.</summary>
    public const string Undelivered = ServerPrefix + "undelivered";

    /// <summary>Direct exchange to the delay queues. The routing key is one of <see cref="DelayKey"/>.</summary>
    public const string Retry = ServerPrefix + "retry";

    /// <summary>
    /// The queues that receive from clients. Each has a <see cref="Parked"/> and a <see cref="Poison"/> queue of its own, which only the broker
    /// writes to: the queue from which a message is read says where it was published. A header cannot say that, because a sender can set it.
    /// </summary>
    public static readonly IReadOnlyList<(string Queue, string Exchange, string RoutingKey)> Sources =
    [
        (Intake, Exchanges.Jobs, "#"),
        (Outcomes, Exchanges.Outcomes, ""),
        (ApprovalWatch, Exchanges.Events, "approved.#"),
    ];

    /// <summary>
    /// Queues of an earlier version and their bindings. The server removes the bindings, so that the queues do not fill up. An operator deletes
    /// the queues: decision 0019.
    /// </summary>
    public static readonly IReadOnlyList<(string Queue, string Exchange, string RoutingKey)> Retired =
    [
        ("dispatcher.intake", Exchanges.Jobs, "#"),
        ("dispatcher.outcomes", Exchanges.Outcomes, ""),
        ("dispatcher.approval-watch", Exchanges.Events, "approved.#"),
    ];

    /// <summary>Begins the name of every queue and exchange that only the server reads from or writes to.</summary>
    private const string ServerPrefix = "dispatcher.server.";

    private const string ParkedSuffix = ".parked";

    private const string PoisonSuffix = ".poison";

    /// <summary>How long each delay queue keeps a message at most. A message names its own time, but one that waits behind another comes with it: hence several queues.</summary>
    private static readonly (string Key, TimeSpan Longest)[] Delays =
    [
        ("5s", TimeSpan.FromSeconds(5)),
        ("30s", TimeSpan.FromSeconds(30)),
        ("5m", TimeSpan.FromMinutes(5)),
        ("30m", TimeSpan.FromMinutes(30)),
    ];

    /// <summary>The delay queues by their routing key.</summary>
    public static IEnumerable<(string Key, string Queue)> DelayQueues => Delays.Select(delay => (delay.Key, DelayPrefix + delay.Key));

    /// <summary>The key of the shortest delay queue that keeps a message for so long, else of the longest.</summary>
    public static string DelayKey(TimeSpan pause) => Delays.FirstOrDefault(delay => delay.Longest >= pause, Delays[^1]).Key;

    private const string DelayPrefix = Retry + ".";

    /// <summary>An unlimited queue of copies nobody reads would fill the disk; the store has the originals.</summary>
    private const int MostUnrouted = 10_000;

    /// <summary>A message that came back this often is set aside.</summary>
    internal const int DeliveryLimit = 20;

    /// <summary>
    /// A message that came back this often to a parked queue goes to the poison queue. More than once: a server may be stopped while it runs
    /// the message, also by another message that was not parked yet.
    /// </summary>
    private const int ParkedLimit = 5;

    /// <summary>What expires or comes back too often is dropped, because the sweep finds it in the store.</summary>
    private static readonly Dictionary<string, object?> Dropping = new()
    {
        ["x-queue-type"] = "quorum",
        ["x-delivery-limit"] = DeliveryLimit,
    };

    /// <summary>The exclusive queue in which one server gets the events for its event streams.</summary>
    public static string EventStreams(Guid server) => $"{ServerPrefix}events.{server:N}";

    /// <summary>The queue of messages that came back to a source too often: each is run again alone.</summary>
    public static string Parked(string source) => source + ParkedSuffix;

    /// <summary>
    /// The queue of messages that came back too often from <see cref="Parked"/> as well: they become dead letters unread. One that cannot be
    /// received here either is dropped at the delivery limit, and each try is logged and counted, see ConnectionMonitor.
    /// </summary>
    public static string Poison(string source) => source + PoisonSuffix;

    /// <summary>
    /// Replicated, and nothing lost on the way to where a message goes next: at-least-once dead lettering needs reject-publish. A message goes
    /// through an exchange that has the name of its next queue, and keeps its routing key.
    /// </summary>
    public static IReadOnlyDictionary<string, object?> Arguments(string queue) =>
        queue switch
        {
            Dispatch => Dropping,
            Unrouted or Undelivered => new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-max-length"] = MostUnrouted },
            _ when queue.StartsWith(Queues.Work(""), StringComparison.Ordinal) => Dropping,
            _ when queue.StartsWith(DelayPrefix, StringComparison.Ordinal) => DeadLettering(
                Dispatch,
                ("x-message-ttl", (long)Delays.Single(delay => queue == DelayPrefix + delay.Key).Longest.TotalMilliseconds)
            ),
            _ when queue.EndsWith(PoisonSuffix, StringComparison.Ordinal) => Dropping,
            _ when queue.EndsWith(ParkedSuffix, StringComparison.Ordinal) => DeadLettering(
                Poison(queue[..^ParkedSuffix.Length]),
                ("x-delivery-limit", ParkedLimit)
            ),
            _ => DeadLettering(Parked(queue), ("x-delivery-limit", DeliveryLimit)),
        };

    private static Dictionary<string, object?> DeadLettering(string to, (string Name, object Value) when) =>
        new()
        {
            ["x-queue-type"] = "quorum",
            [when.Name] = when.Value,
            ["x-dead-letter-exchange"] = to,
            ["x-dead-letter-strategy"] = "at-least-once",
            ["x-overflow"] = "reject-publish",
        };
}
