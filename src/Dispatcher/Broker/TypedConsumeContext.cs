using System.Diagnostics.CodeAnalysis;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Context;

namespace Dispatcher.Broker;

/// <summary>
/// A delivery with the message that a filter of the consume pipeline made of its bytes. A filter passes it to the next pipe, and
/// MassTransit hands it to the consumers of <typeparamref name="T"/>. So a consumer gets the result of the filter as its message, checked
/// by the compiler.
/// </summary>
internal sealed class TypedConsumeContext<T>(ConsumeContext delivery, T message) : ConsumeContextProxy(delivery), ConsumeContext<T>
    where T : class
{
    public T Message => message;

    public override bool HasMessageType(Type messageType) => messageType == typeof(T) || base.HasMessageType(messageType);

    public override bool TryGetMessage<TMessage>([NotNullWhen(true)] out ConsumeContext<TMessage>? consumeContext)
        where TMessage : class
    {
        if (this is ConsumeContext<TMessage> typed)
        {
            consumeContext = typed;
            return true;
        }

        return base.TryGetMessage(out consumeContext);
    }

    public Task NotifyConsumed(TimeSpan duration, string consumerType) => NotifyConsumed(this, duration, consumerType);

    public Task NotifyFaulted(TimeSpan duration, string consumerType, Exception exception) =>
        NotifyFaulted(this, duration, consumerType, exception);
}

/// <summary>How filters of the consume pipeline read, pass on and end a <see cref="RawMessage"/>.</summary>
internal static class RawDeliveries
{
    /// <summary>
    /// Adds a filter that runs before MassTransit selects the consumers by the type of the message, so that it may pass on another type. A
    /// filter of <c>UseFilter</c> runs after that. Filters run in the order in which they are added.
    /// </summary>
    public static void UseFilterBeforeConsumers(this IConsumePipeConfigurator endpoint, IFilter<ConsumeContext> filter) =>
        endpoint.AddPrePipeSpecification(new FilterPipeSpecification<ConsumeContext>(filter));

    /// <summary>The message of a delivery. Every endpoint of the server reads its messages as raw bytes.</summary>
    public static ConsumeContext<RawMessage> Raw(this ConsumeContext delivery) =>
        delivery.TryGetMessage<RawMessage>(out var raw)
            ? raw
            : throw new InvalidOperationException(
                $"The endpoint {delivery.ReceiveContext.InputAddress} does not read {nameof(RawMessage)}."
            );

    /// <summary>Passes the delivery on with the message that the filter made of its bytes.</summary>
    public static Task PassOnAsync<T>(this IPipe<ConsumeContext> next, ConsumeContext delivery, T message)
        where T : class => next.Send(new TypedConsumeContext<T>(delivery, message));

    /// <summary>
    /// Ends a delivery in a filter. MassTransit moves a message that no consumer has seen to a queue for skipped messages, unless the
    /// filter marks it as consumed.
    /// </summary>
    public static Task EndHereAsync<TFilter>(this ConsumeContext<RawMessage> delivery) =>
        delivery.NotifyConsumed(TimeSpan.Zero, typeof(TFilter).FullName!);
}
