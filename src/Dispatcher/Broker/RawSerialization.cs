using System.Diagnostics.CodeAnalysis;
using System.Net.Mime;
using MassTransit;
using MassTransit.Serialization;

namespace Dispatcher.Broker;

/// <summary>
/// Reads every body as a <see cref="RawMessage"/>, with any content type and headers, and writes one unchanged. Reading never fails: the
/// consumer, and not the error pipe of MassTransit, handles the faults of a body.
/// </summary>
internal sealed class RawSerialization : ISerializerFactory, IMessageDeserializer, IMessageSerializer
{
    public static readonly ContentType Json = new("application/json");

    ContentType ISerializerFactory.ContentType => Json;

    ContentType IMessageDeserializer.ContentType => Json;

    ContentType IMessageSerializer.ContentType => Json;

    public IMessageSerializer CreateSerializer() => this;

    public IMessageDeserializer CreateDeserializer() => this;

    public ConsumeContext Deserialize(ReceiveContext receiveContext) =>
        new BodyConsumeContext(
            receiveContext,
            Deserialize(receiveContext.Body, receiveContext.TransportHeaders, receiveContext.InputAddress)
        );

    /// <summary>
    /// Drops the headers: MassTransit would declare, and send to, an address that a sender put into a header, with the rights of the
    /// server.
    /// </summary>
    public SerializerContext Deserialize(MessageBody body, Headers headers, Uri? destinationAddress = null) =>
        new Context(
            SystemTextJsonMessageSerializer.Instance,
            new RawMessageContext(EmptyHeaders.Instance, destinationAddress, RawSerializerOptions.AnyMessageType),
            RawMessage.Of(body.GetBytes())
        );

    public MessageBody GetMessageBody(string text) => new StringMessageBody(text);

    public MessageBody GetMessageBody<T>(SendContext<T> context)
        where T : class =>
        context.Message is RawMessage raw
            ? new BytesMessageBody(raw.Body.ToArray())
            : throw new InvalidOperationException($"Only {nameof(RawMessage)} is sent raw, not {typeof(T)}.");

    public void Probe(ProbeContext context) => context.CreateScope("raw");

    private sealed class Context(IObjectDeserializer objects, MessageContext context, RawMessage message)
        : BaseSerializerContext(objects, context, [MessageUrn.ForTypeString<RawMessage>()])
    {
        public override bool TryGetMessage<T>([NotNullWhen(true)] out T? result)
            where T : class
        {
            result = message as T;
            return result is not null;
        }

        public override bool TryGetMessage(Type messageType, [NotNullWhen(true)] out object? result)
        {
            result = messageType == typeof(RawMessage) ? message : null;
            return result is not null;
        }

        public override IMessageSerializer GetMessageSerializer() => throw NoReplies();

        public override IMessageSerializer GetMessageSerializer<T>(MessageEnvelope envelope, T message) => throw NoReplies();

        public override IMessageSerializer GetMessageSerializer(object message, string[] messageTypes) => throw NoReplies();

        public override Dictionary<string, object> ToDictionary<T>(T? message)
            where T : class => [];

        private static NotSupportedException NoReplies() => new("Raw messages are not answered through MassTransit.");
    }
}
