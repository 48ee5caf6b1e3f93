using MassTransit;
using MassTransit.Context;
using MassTransit.Metadata;
using MassTransit.Middleware;
using MassTransit.Serialization;

namespace Dispatcher.Persistence.Tables;

/// <summary>A captured message, with everything that the pipe of MassTransit needs to send it later.</summary>
internal sealed class OutboxRow : OutboxMessageContext
{
    private Headers? _headers;
    private IReadOnlyDictionary<string, object>? _properties;

    public long SequenceNumber { get; init; }

    public required Guid MessageId { get; init; }

    /// <summary>The consumed message that caused it, for operators. Null: it was sent outside a consumer.</summary>
    public Guid? InboxMessageId { get; init; }

    public Uri? DestinationAddress { get; init; }

    /// <summary>URNs of the message types, joined by <c>;</c>.</summary>
    public required string MessageType { get; init; }

    public required string ContentType { get; init; }

    /// <summary>The whole envelope as text.</summary>
    public required string Body { get; init; }

    /// <summary>A JSON object. Null: none.</summary>
    public string? Headers { get; init; }

    /// <summary>A JSON object of transport properties. Null: none.</summary>
    public string? Properties { get; init; }

    public Guid? ConversationId { get; init; }

    public Guid? CorrelationId { get; init; }

    public Guid? InitiatorId { get; init; }

    public Guid? RequestId { get; init; }

    public Uri? SourceAddress { get; init; }

    public Uri? ResponseAddress { get; init; }

    public Uri? FaultAddress { get; init; }

    public required long SentAt { get; init; }

    public long? ExpiresAt { get; init; }

    /// <summary>When a delayed send is due. Null: at once.</summary>
    public long? NotBefore { get; init; }

    /// <summary>When the delivery loop may take it. Null: parked, because it failed too often.</summary>
    public long? NextAt { get; set; }

    /// <summary>How often sending has failed.</summary>
    public int Attempts { get; init; }

    public string? LastError { get; init; }

    Guid? MessageContext.MessageId => MessageId;

    DateTime? MessageContext.SentTime => Micros.ToDateTime(SentAt);

    DateTime? MessageContext.ExpirationTime => ExpiresAt is { } at ? Micros.ToDateTime(at) : null;

    Headers MessageContext.Headers =>
        _headers ??= SystemTextJsonMessageSerializer.Instance.DeserializeDictionary<object?>(Headers) is { } headers
            ? new DictionarySendHeaders(headers)
            : EmptyHeaders.Instance;

    HostInfo MessageContext.Host => HostMetadataCache.Host;

    IReadOnlyDictionary<string, object> OutboxMessageContext.Properties =>
        _properties ??= SystemTextJsonMessageSerializer.Instance.DeserializeDictionary<object>(Properties) ?? [];

    /// <summary>
    /// Captures a send. A delay becomes the time at which the row is due and is removed from the message, because the transport would need
    /// a delayed exchange for it.
    /// </summary>
    public static OutboxRow From<T>(SendContext<T> send, Guid? cause, DateTimeOffset now, TimeSpan lease)
        where T : class
    {
        long? notBefore = send.Delay is { } delay ? Micros.Of(now + delay) : null;
        send.Delay = null;
        var json = SystemTextJsonMessageSerializer.Instance;
        return new OutboxRow
        {
            MessageId = send.MessageId ?? throw new MessageException(typeof(T), "The outbox needs a MessageId. Set it on the message."),
            InboxMessageId = cause,
            DestinationAddress = send.DestinationAddress,
            MessageType = string.Join(';', send.SupportedMessageTypes),
            ContentType = send.ContentType?.ToString() ?? send.Serialization.DefaultContentType.ToString(),
            Body = send.Serializer.GetMessageBody(send).GetString(),
            Headers = json.SerializeDictionary(send.Headers.GetAll()),
            Properties = PropertiesOf(send) is { } properties ? json.SerializeDictionary(properties) : null,
            ConversationId = send.ConversationId,
            CorrelationId = send.CorrelationId,
            InitiatorId = send.InitiatorId,
            RequestId = send.RequestId,
            SourceAddress = send.SourceAddress,
            ResponseAddress = send.ResponseAddress,
            FaultAddress = send.FaultAddress,
            SentAt = Micros.Of(now),
            ExpiresAt = send.TimeToLive is { } timeToLive ? Micros.Of(now + timeToLive) : null,
            NotBefore = notBefore,
            NextAt = notBefore ?? Micros.Of(now + lease),
        };
    }

    /// <summary>The properties of the transport: on RabbitMQ exchange, routing key, priority and similar.</summary>
    private static Dictionary<string, object>? PropertiesOf<T>(SendContext<T> send)
        where T : class
    {
        if (send is not TransportSendContext<T> transport)
        {
            return null;
        }

        var properties = new Dictionary<string, object>(StringComparer.OrdinalIgnoreCase);
        transport.WritePropertiesTo(properties);
        return properties;
    }
}
