using System.Text;
using MassTransit;

namespace Dispatcher.Broker;

/// <summary>Why the broker dead-lettered a message from a queue, from its <c>x-death</c> header.</summary>
internal sealed record XDeath(string Reason)
{
    /// <summary>The message was in the queue for longer than its sender, or a policy of the broker, allows.</summary>
    public const string Expired = "expired";

    /// <summary>A consumer rejected the message. The server never does.</summary>
    public const string Rejected = "rejected";

    /// <summary>The message was returned too often.</summary>
    public const string DeliveryLimit = "delivery_limit";

    /// <summary>The header has no reason that the broker certainly wrote.</summary>
    public const string Unknown = "unknown";

    /// <summary>
    /// The reason for a message from the parked or poison queue of <paramref name="from"/>. If the first entry of the header names that
    /// queue, or its holding queue of a migration, the broker wrote its queue and reason. Everything else in the header may come from the
    /// sender (decision 0019).
    /// </summary>
    public static XDeath Of(ConsumeContext context, string from) =>
        Entries(context).FirstOrDefault() is IDictionary<string, object?> first
        && Text(first, "queue") is { } queue
        && (QueueNames.HeldBy(queue) ?? queue) == from
            ? new XDeath(Text(first, "reason") ?? Unknown)
            : new XDeath(Unknown);

    /// <summary>
    /// Whether the broker moved the message through these queues, the last one first. The broker writes its entries before all others, and
    /// the server removes the header when it sends a message to the last of these queues.
    /// </summary>
    public static bool Came(ConsumeContext context, IReadOnlyList<string> through) =>
        through.SequenceEqual(Entries(context).Take(through.Count).Select(entry => Text(entry as IDictionary<string, object?>, "queue")));

    private static IList<object?> Entries(ConsumeContext context) =>
        context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery)
        && delivery.Properties.Headers?.TryGetValue("x-death", out var header) == true
        && header is IList<object?> entries
            ? entries
            : [];

    private static string? Text(IDictionary<string, object?>? entry, string name) =>
        entry?.TryGetValue(name, out var value) == true && value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : null;
}
