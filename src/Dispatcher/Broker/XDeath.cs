using System.Text;
using MassTransit;

namespace Dispatcher.Broker;

/// <summary>Why the broker moved a message out of a queue.</summary>
internal sealed record XDeath(string Reason)
{
    /// <summary>It was in the queue for longer than its sender, or a policy of the broker, allows.</summary>
    public const string Expired = "expired";

    /// <summary>Somebody took it from the queue and rejected it. The server never does.</summary>
    public const string Rejected = "rejected";

    /// <summary>It came back too often.</summary>
    public const string DeliveryLimit = "delivery_limit";

    /// <summary>The broker gives no reason that can be trusted.</summary>
    public const string Unknown = "unknown";

    /// <summary>
    /// Only of a message from the parked or poison queue of <paramref name="from"/>. There, queue and reason of the first <c>x-death</c>
    /// entry are the broker's if the entry names that queue; everything else in the header may be the sender's (decision 0019).
    /// </summary>
    public static XDeath Of(ConsumeContext context, string from)
    {
        if (
            !context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery)
            || delivery.Properties.Headers?.TryGetValue("x-death", out var header) != true
            || header is not IList<object?> { Count: > 0 } entries
            || entries[0] is not IDictionary<string, object?> first
            || Text(first, "queue") != from
        )
        {
            return new XDeath(Unknown);
        }

        return new XDeath(Text(first, "reason") ?? Unknown);
    }

    private static string? Text(IDictionary<string, object?> entry, string name) =>
        entry.TryGetValue(name, out var value) && value is byte[] bytes ? Encoding.UTF8.GetString(bytes) : null;
}
