using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>
/// Sorts the messages of <c>dispatcher.unrouted</c>, the first filter of that queue. A submission that found no binding goes on to intake
/// like any other. The broker checked its sender and its routing key when it was published to <c>dispatcher.jobs</c>, and names that
/// exchange in the delivery; a client cannot forge it. A copy of a dead letter is kept for its owner. Any other message was published past
/// the exchanges and is refused. The queue has no parked queue: a message that came back too often is kept unread.
/// </summary>
internal sealed partial class UnroutedMessages(
    Refusals refusals,
    PoisonLetters poison,
    IOutboxTransport transport,
    RabbitConnection broker,
    TimeProvider time,
    ILogger<UnroutedMessages> logger
) : Loop(TimeSpan.FromSeconds(5), time, logger), IFilter<ConsumeContext>
{
    private int _taken;

    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var delivery = context.Raw();
        var facts = DeliveryFacts.Of(delivery);
        if (facts is { Exchange: Exchanges.Jobs, DeliveryCount: < QueueNames.DeliveryLimit })
        {
            Interlocked.Increment(ref _taken);
            await next.Send(context);
            return;
        }

        await (
            facts.DeliveryCount >= QueueNames.DeliveryLimit ? poison.KeepAsync(QueueNames.Unrouted, delivery)
            : facts.Exchange == Exchanges.DeadLetter && facts.IsOwn(broker.User)
                ? KeepAsync(facts, delivery.Message, context.CancellationToken)
            : RefuseAsync(facts, delivery)
        );
        await delivery.EndHereAsync<UnroutedMessages>();
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("unrouted");

    /// <summary>Logs how many submissions came through this queue since the last round: one log line for many.</summary>
    public override Task OnceAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _taken, 0) is > 0 and var count)
        {
            Log.Taken(logger, count);
        }

        return Task.CompletedTask;
    }

    private Task KeepAsync(DeliveryFacts facts, RawMessage message, CancellationToken cancellationToken) =>
        transport.SendAsync(
            new OutboxMessage
            {
                MessageId = Guid.TryParse(facts.MessageId, out var id) ? id : Guid.CreateVersion7(Time.GetUtcNow()),
                Exchange = QueueNames.Undelivered,
                RoutingKey = facts.RoutingKey,
                Mandatory = true,
                Type = MessageTypes.DeadLetter,
                Body = message.Body.ToArray(),
            },
            cancellationToken
        );

    private Task<Refused> RefuseAsync(DeliveryFacts facts, ConsumeContext<RawMessage> context)
    {
        var error = new InputError
        {
            Code = "not_published_to_jobs",
            Where = "amqp:exchange",
            Message = $"The message was published to \"{InputErrors.Cut(facts.Exchange)}\" and not to {Exchanges.Jobs}.",
            Fix = $"Publish jobs to the exchange {Exchanges.Jobs}, with the topic as the routing key.",
        };
        var source = SubmissionSource.Of(facts, context.Message);
        return refusals.RefuseAsync(context.Message.Body, source, [error], context.CancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.UnroutedTaken,
            LogLevel.Warning,
            "Took {Count} submissions in from dispatcher.unrouted: the binding of the intake queue was missing when they were published. "
                + "It is declared again"
        )]
        public static partial void Taken(ILogger logger, int count);
    }
}
