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

    /// <summary>Messages that were delivered too often.</summary>
    public const string Parked = "dispatcher.parked";

    /// <summary>What <see cref="Exchanges.Jobs"/> or <see cref="Exchanges.DeadLetter"/> could not route.</summary>
    public const string Unrouted = "dispatcher.unrouted";

    /// <summary>An unlimited queue of copies nobody reads would fill the disk; the store has the originals.</summary>
    private const int MostUnrouted = 10_000;

    /// <summary>A message that came back this often goes to <see cref="Parked"/>.</summary>
    private const int DeliveryLimit = 20;

    /// <summary>What expires or comes back too often is dropped: the sweep hands the attempt out again.</summary>
    private static readonly Dictionary<string, object?> Work = new() { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = DeliveryLimit };

    /// <summary>Replicated, and nothing lost on the way to the parked queue: at-least-once dead lettering needs reject-publish.</summary>
    public static IReadOnlyDictionary<string, object?> Arguments(string queue) => queue switch
    {
        Parked => new Dictionary<string, object?> { ["x-queue-type"] = "quorum" },
        Unrouted => new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-max-length"] = MostUnrouted },
        _ when queue.StartsWith(Queues.Work(""), StringComparison.Ordinal) => Work,
        _ => new Dictionary<string, object?>
        {
            ["x-queue-type"] = "quorum",
            ["x-delivery-limit"] = DeliveryLimit,
            ["x-dead-letter-exchange"] = "",
            ["x-dead-letter-routing-key"] = Parked,
            ["x-dead-letter-strategy"] = "at-least-once",
            ["x-overflow"] = "reject-publish",
        },
    };
}
