using Dispatcher.Contracts;

namespace Dispatcher.Broker;

/// <summary>
/// Names and arguments of the queues and exchanges that are not part of the contracts. Changed arguments need a new queue name: the broker
/// refuses a declaration with other arguments.
/// </summary>
internal static class QueueNames
{
    /// <summary>Submissions, bound to <see cref="Exchanges.Jobs"/> with <c>#</c>.</summary>
    public const string Intake = ServerPrefix + "intake";

    /// <summary>Dispatch signals, which name pools. A signal that was returned too often is dropped: the sweep checks every pool.</summary>
    public const string Dispatch = ServerPrefix + "dispatch";

    /// <summary>Outcomes of attempts, bound to <see cref="Exchanges.Outcomes"/>.</summary>
    public const string Outcomes = ServerPrefix + "outcomes";

    /// <summary>
    /// Events of approvals, bound to <see cref="Exchanges.Events"/> with <c>approved.#</c>. The consumer compares each with the store.
    /// </summary>
    public const string ApprovalWatch = ServerPrefix + "approval-watch";

    /// <summary>
    /// Messages that <see cref="Exchanges.Jobs"/> or <see cref="Exchanges.DeadLetter"/> could not route. UnroutedMessages reads them.
    /// </summary>
    public const string Unrouted = "dispatcher.unrouted";

    /// <summary>Copies of dead letters that no queue of an owner took. UndeliveredCopies publishes them again.</summary>
    public const string Undelivered = ServerPrefix + "undelivered";

    /// <summary>Direct exchange to the delay queues. The routing key is one of <see cref="DelayKey"/>.</summary>
    public const string Retry = ServerPrefix + "retry";

    /// <summary>
    /// The queues that receive from clients. Each has its <see cref="Parked"/> and <see cref="Poison"/> queue, to which only the broker
    /// writes. So the queue of a message shows where it was published. A header cannot show it, because a sender can set it.
    /// </summary>
    public static readonly IReadOnlyList<(string Queue, string Exchange, string RoutingKey)> Sources =
    [
        (Intake, Exchanges.Jobs, "#"),
        (Outcomes, Exchanges.Outcomes, ""),
        (ApprovalWatch, Exchanges.Events, "approved.#"),
    ];

    /// <summary>
    /// Queues of an earlier version and their bindings. The server removes the bindings, so that the queues do not fill up. An operator
    /// deletes the queues, see decision 0019.
    /// </summary>
    public static readonly IReadOnlyList<(string Queue, string Exchange, string RoutingKey)> Retired =
    [
        ("dispatcher.intake", Exchanges.Jobs, "#"),
        ("dispatcher.outcomes", Exchanges.Outcomes, ""),
        ("dispatcher.approval-watch", Exchanges.Events, "approved.#"),
    ];

    /// <summary>Prefix of every queue and exchange that only the server reads or writes.</summary>
    private const string ServerPrefix = "dispatcher.server.";

    private const string ParkedSuffix = ".parked";

    private const string NewerSuffix = ".newer";

    private const string PoisonSuffix = ".poison";

    /// <summary>
    /// The delay queues and the longest delay of each. A message names its expiration, but expires only at the head of its queue, so
    /// messages with different delays need different queues.
    /// </summary>
    private static readonly (string Key, TimeSpan Max)[] Delays =
    [
        ("5s", TimeSpan.FromSeconds(5)),
        ("30s", TimeSpan.FromSeconds(30)),
        ("5m", TimeSpan.FromMinutes(5)),
        ("30m", TimeSpan.FromMinutes(30)),
    ];

    /// <summary>The delay queues by their routing key.</summary>
    public static IEnumerable<(string Key, string Queue)> DelayQueues => Delays.Select(delay => (delay.Key, DelayPrefix + delay.Key));

    /// <summary>The routing key of the shortest delay queue whose limit is at least this pause, else of the longest.</summary>
    public static string DelayKey(TimeSpan pause) => Delays.FirstOrDefault(delay => delay.Max >= pause, Delays[^1]).Key;

    private const string DelayPrefix = Retry + ".";

    /// <summary>Bounds what a sender of unknown formats can make the servers read again. A further message is refused at once.</summary>
    private const int MaxNewer = 10_000;

    /// <summary>Fewer than submissions: each outcome must be read again before the lease of its run ends.</summary>
    private const int MaxNewerOutcomes = 1_000;

    /// <summary>256 MiB: so many large messages cannot fill the disk.</summary>
    private const long MaxNewerBytes = 268_435_456;

    /// <summary>Prefix of the queues that keep the messages of a queue during its migration.</summary>
    private const string HoldingPrefix = Migrating + ".";

    /// <summary>An exchange without a queue, which exists while a migration is not finished.</summary>
    public const string Migrating = ServerPrefix + "holding";

    /// <summary>
    /// The sources whose messages of a newer format wait. Other messages need not: the sweep replaces a signal, and the store decides about
    /// an event.
    /// </summary>
    public static readonly IReadOnlyList<string> SourcesOfNewer = [Intake, Outcomes];

    /// <summary>Without a limit, unread messages would fill the disk. The store has the originals.</summary>
    private const int MaxUnrouted = 10_000;

    /// <summary>A message that was returned this often is parked.</summary>
    internal const int DeliveryLimit = 20;

    /// <summary>
    /// A message that was returned this often to a parked queue moves to the poison queue. More than once, because the server may stop for
    /// another reason while it processes the message.
    /// </summary>
    private const int ParkedLimit = 5;

    /// <summary>A message that expires or is returned too often is dropped: the sweep finds its job in the store.</summary>
    private static readonly Dictionary<string, object?> Dropping = new()
    {
        ["x-queue-type"] = "quorum",
        ["x-delivery-limit"] = DeliveryLimit,
    };

    /// <summary>The exclusive queue of one server for the events of its event streams.</summary>
    public static string EventStreams(Guid server) => $"{ServerPrefix}events.{server:N}";

    /// <summary>The queue of messages that were returned to a source too often. Each is processed again, alone.</summary>
    public static string Parked(string source) => source + ParkedSuffix;

    /// <summary>
    /// The queue of messages that were returned too often to <see cref="Parked"/> as well. They become dead letters without being parsed. A
    /// message that the client cannot receive here either is dropped at the delivery limit; ConnectionMonitor logs and counts each try.
    /// </summary>
    public static string Poison(string source) => source + PoisonSuffix;

    /// <summary>
    /// The delay queue of messages whose format is newer than a server knows. From there the broker moves them to <see cref="Parked"/>.
    /// </summary>
    public static string Newer(string source) => source + NewerSuffix;

    /// <summary>The queue that keeps the messages of a queue during its migration.</summary>
    public static string Holding(string queue) => HoldingPrefix + queue;

    /// <summary>The queue whose messages a holding queue keeps. Null: it is no holding queue.</summary>
    public static string? HeldBy(string queue) =>
        queue.StartsWith(HoldingPrefix, StringComparison.Ordinal) ? queue[HoldingPrefix.Length..] : null;

    /// <summary>An outcome must be read before the lease of its run ends.</summary>
    public static TimeSpan NewerDelay(string source) => TimeSpan.FromSeconds(source == Outcomes ? 2 : 30);

    /// <summary>
    /// Arguments of a queue. Every queue is a quorum queue. Dead lettering is at-least-once, which needs <c>reject-publish</c>. A
    /// dead-lettered message passes an exchange with the name of its next queue, and keeps its routing key.
    /// </summary>
    public static IReadOnlyDictionary<string, object?> Arguments(string queue) =>
        queue switch
        {
            _ when HeldBy(queue) is { } held => OfHolding(Arguments(held)),
            Dispatch => Dropping,
            Unrouted or Undelivered => new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-max-length"] = MaxUnrouted },
            _ when queue.StartsWith(Queues.Work(""), StringComparison.Ordinal) => Dropping,
            _ when queue.StartsWith(DelayPrefix, StringComparison.Ordinal) => DeadLettering(
                Dispatch,
                ("x-message-ttl", (long)Delays.Single(delay => queue == DelayPrefix + delay.Key).Max.TotalMilliseconds)
            ),
            _ when queue.EndsWith(NewerSuffix, StringComparison.Ordinal) => new Dictionary<string, object?>(
                DeadLettering(
                    Parked(queue[..^NewerSuffix.Length]),
                    ("x-message-ttl", (long)NewerDelay(queue[..^NewerSuffix.Length]).TotalMilliseconds)
                )
            )
            {
                ["x-max-length"] = queue == Newer(Outcomes) ? MaxNewerOutcomes : MaxNewer,
                ["x-max-length-bytes"] = MaxNewerBytes,
            },
            _ when queue.EndsWith(PoisonSuffix, StringComparison.Ordinal) => Dropping,
            _ when queue.EndsWith(ParkedSuffix, StringComparison.Ordinal) => DeadLettering(
                Poison(queue[..^ParkedSuffix.Length]),
                ("x-delivery-limit", ParkedLimit)
            ),
            _ => DeadLettering(Parked(queue), ("x-delivery-limit", DeliveryLimit)),
        };

    /// <summary>What expires while it is held goes where it would have gone. Every other limit is without effect meanwhile.</summary>
    private static Dictionary<string, object?> OfHolding(IReadOnlyDictionary<string, object?> arguments) =>
        arguments
            .Where(argument =>
                argument.Key is "x-queue-type" or "x-overflow" || argument.Key.StartsWith("x-dead-letter-", StringComparison.Ordinal)
            )
            .ToDictionary();

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
