using System.Diagnostics;
using Dispatcher.Contracts;
using MassTransit;
using Headers = Dispatcher.Contracts.Headers;

namespace Dispatcher.Broker;

/// <summary>The bytes of one message, as delivered. The consumers parse them, so that no untrusted body fails inside MassTransit.</summary>
internal sealed record RawMessage(ReadOnlyMemory<byte> Body)
{
    /// <summary>
    /// A longer body is cut, and every consumer refuses it. The consumers take a payload of 1 MiB with 128 KiB around it, or 1 MiB of
    /// outcomes.
    /// </summary>
    public const int MaxBody = 2_097_152;

    /// <summary>Null: <see cref="Body"/> is whole.</summary>
    public CutBody? Cut { get; init; }

    /// <summary>Why the broker moved the message to a parked queue. Null: it was read from the queue that it was published to.</summary>
    public XDeath? SetAside { get; init; }

    /// <summary>What it was before the server set it aside for a newer server. Null: the server did not.</summary>
    public WaitedMessage? Waited { get; init; }

    public static RawMessage Of(byte[] body) =>
        CutBody.Of(body) is { } cut ? new RawMessage(body.AsMemory(0, CutBody.KeptBytes)) { Cut = cut } : new RawMessage(body);
}

/// <summary>
/// The properties of a delivery, without the body. The broker verifies <see cref="UserId"/> and sets <see cref="Exchange"/>; the sender
/// sets all others.
/// </summary>
internal sealed record DeliveryFacts
{
    public string? UserId { get; init; }

    /// <summary>
    /// The exchange of the last publish. For a message from a parked or poison queue it is not the exchange that the sender used.
    /// </summary>
    public string Exchange { get; init; } = "";
    public string RoutingKey { get; init; } = "";
    public string? MessageId { get; init; }
    public string? ContentType { get; init; }
    public string? ContentEncoding { get; init; }
    public string? ReplyTo { get; init; }
    public string? CorrelationId { get; init; }
    public string? Type { get; init; }
    public string? TraceParent { get; init; }
    public string? Permit { get; init; }

    /// <summary>How often the message was returned to its queue. The broker counts, and overwrites a value of the sender.</summary>
    public long DeliveryCount { get; init; }

    /// <summary>The message has headers of a copy that the server set aside, and is not known to be one.</summary>
    public bool IsUnprovenCopy { get; init; }

    /// <summary>
    /// Whether the server sent the message: with its broker user and one of its types. A producer may use the same broker user, but sets no
    /// type.
    /// </summary>
    /// <param name="user">The broker user of the server. Null: there is no broker.</param>
    public bool IsOwn(string? user) =>
        user is not null
        && UserId == user
        && Type is MessageTypes.Decision or MessageTypes.Refused or MessageTypes.Event or MessageTypes.Work or MessageTypes.DeadLetter;

    /// <summary>
    /// Without the sender, if it is only the server that copied the message: the original sender is not known, and the server's name must
    /// not stand for it. Such a copy left its path, for example because an operator moved it to another queue.
    /// </summary>
    /// <param name="server">The broker user of the server. Null: there is no broker.</param>
    public DeliveryFacts Proven(string? server) => IsUnprovenCopy && UserId == server ? this with { UserId = null } : this;

    public static DeliveryFacts Of(ConsumeContext context)
    {
        var headers = context.ReceiveContext.TransportHeaders;
        var common = new DeliveryFacts { TraceParent = Trace(Text(headers, Headers.TraceParent)), Permit = Text(headers, Headers.Permit) };
        if (!context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivery))
        {
            return common;
        }

        var properties = delivery.Properties;
        var waited = context.TryGetMessage<RawMessage>(out var raw) ? raw.Message.Waited : null;
        return common with
        {
            UserId = waited is null ? properties.UserId : waited.UserId,
            Exchange = delivery.Exchange ?? "",
            RoutingKey = waited?.RoutingKey ?? delivery.RoutingKey ?? "",
            MessageId = properties.MessageId,
            ContentType = properties.ContentType,
            ContentEncoding = properties.ContentEncoding,
            ReplyTo = properties.ReplyTo,
            CorrelationId = properties.CorrelationId,
            Type = properties.Type,
            IsUnprovenCopy = waited is null && WaitedMessage.HasHeader(properties),
            DeliveryCount = properties.Headers?.TryGetValue("x-delivery-count", out var count) == true ? count as long? ?? 0 : 0,
        };
    }

    /// <summary>An untrusted header may have any type, and only text is used. Reading it as a string would throw.</summary>
    private static string? Text(MassTransit.Headers headers, string name) =>
        headers.TryGetHeader(name, out var value) ? value as string : null;

    /// <summary>Null unless the text is a valid trace context.</summary>
    private static string? Trace(string? text) => ActivityContext.TryParse(text, null, out _) ? text : null;
}
