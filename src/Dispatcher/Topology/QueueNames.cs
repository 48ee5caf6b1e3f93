using Dispatcher.Contracts;

namespace Dispatcher.Topology;

/// <summary>Every name and argument on the broker that is not part of the contracts, in one place. A change of arguments needs a new queue: the broker refuses another declaration.</summary>
internal static class QueueNames
{
    /// <summary>Submissions, bound to <see cref="Exchanges.Jobs"/> with <c>#</c>.</summary>
    public const string Intake = "dispatcher.intake";

    /// <summary>Jobs to be dispatched, packed. Only the server writes here.</summary>
    public const string Dispatch = "dispatcher.dispatch";

    /// <summary>Events of approvals, bound to <see cref="Exchanges.Events"/> with <c>approved.#</c>: each is compared with the store, see ApprovalWatch.</summary>
    public const string ApprovalWatch = "dispatcher.approval-watch";

    /// <summary>Messages that came back too often: each is run again alone.</summary>
    public const string Parked = "dispatcher.parked";

    /// <summary>
    /// Messages that came back too often from <see cref="Parked"/> as well: they become dead letters unread. One that cannot be received here either is dropped at the delivery limit,
    /// and each try is logged and counted, see ConnectionWatch.
    /// </summary>
    public const string Poison = "dispatcher.poison";

    /// <summary>What <see cref="Exchanges.Jobs"/> or <see cref="Exchanges.DeadLetter"/> could not route.</summary>
    public const string Unrouted = "dispatcher.unrouted";

    /// <summary>Direct exchange to the delay queues. The routing key is one of <see cref="DelayKey"/>.</summary>
    public const string Retry = "dispatcher.retry";

    /// <summary>How long each delay queue keeps a message at most. A message names its own time, but one that waits behind another comes with it: hence several queues.</summary>
    private static readonly (string Key, TimeSpan Longest)[] Delays =
        [("5s", TimeSpan.FromSeconds(5)), ("30s", TimeSpan.FromSeconds(30)), ("5m", TimeSpan.FromMinutes(5)), ("30m", TimeSpan.FromMinutes(30))];

    /// <summary>The delay queues by their routing key.</summary>
    public static IEnumerable<(string Key, string Queue)> DelayQueues => Delays.Select(delay => (delay.Key, DelayPrefix + delay.Key));

    /// <summary>The key of the shortest delay queue that keeps a message for so long, else of the longest.</summary>
    public static string DelayKey(TimeSpan pause) => Delays.FirstOrDefault(delay => delay.Longest >= pause, Delays[^1]).Key;

    private const string DelayPrefix = "dispatcher.retry.";

    /// <summary>An unlimited queue of copies nobody reads would fill the disk; the store has the originals.</summary>
    private const int MostUnrouted = 10_000;

    /// <summary>A message that came back this often goes to <see cref="Parked"/>.</summary>
    private const int DeliveryLimit = 20;

    /// <summary>A message that came back this often to <see cref="Parked"/> goes to <see cref="Poison"/>: a server may be stopped while it runs,
    /// also by another message that was not parked yet.</summary>
    private const int ParkedLimit = 5;

    /// <summary>What expires or comes back too often is dropped: the sweep hands the attempt out again.</summary>
    private static readonly Dictionary<string, object?> Work = new() { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = DeliveryLimit };

    /// <summary>Replicated, and nothing lost on the way to where a message goes next: at-least-once dead lettering needs reject-publish.</summary>
    public static IReadOnlyDictionary<string, object?> Arguments(string queue) => queue switch
    {
        Parked => DeadLettering(Poison, ("x-delivery-limit", ParkedLimit)),
        Poison => new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = DeliveryLimit },
        Unrouted => new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-max-length"] = MostUnrouted },
        _ when queue.StartsWith(DelayPrefix, StringComparison.Ordinal) => DeadLettering(
            Dispatch, ("x-message-ttl", (long)Delays.Single(delay => queue == DelayPrefix + delay.Key).Longest.TotalMilliseconds)),
        _ when queue.StartsWith(Queues.Work(""), StringComparison.Ordinal) => Work,
        _ => DeadLettering(Parked, ("x-delivery-limit", DeliveryLimit)),
    };

    private static Dictionary<string, object?> DeadLettering(string to, (string Name, object Value) when) => new()
    {
        ["x-queue-type"] = "quorum",
        [when.Name] = when.Value,
        ["x-dead-letter-exchange"] = "",
        ["x-dead-letter-routing-key"] = to,
        ["x-dead-letter-strategy"] = "at-least-once",
        ["x-overflow"] = "reject-publish",
    };
}
