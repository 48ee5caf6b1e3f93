using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>
/// Reads <c>dispatcher.unrouted</c>. A submission that found no binding goes through intake like any other: the broker has checked its
/// sender and its routing key when it was published to <c>dispatcher.jobs</c>, and names that exchange in the delivery, which no client can
/// forge. A copy of a dead letter is kept for its owner. Anything else was published past the exchanges and is refused. The queue has no
/// parked queue: what came back too often is kept unread.
/// </summary>
internal sealed partial class UnroutedMessages(
    IntakePolicyFilter policy,
    IServiceProvider services,
    Refusals refusals,
    PoisonLetters poison,
    IOutboxTransport transport,
    RabbitConnection broker,
    TimeProvider time,
    ILogger<UnroutedMessages> logger
) : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    private int _taken;

    public Task TakeAsync(ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context);
        return facts.Exchange switch
        {
            _ when facts.DeliveryCount >= QueueNames.DeliveryLimit => poison.KeepAsync(QueueNames.Unrouted, context),
            Exchanges.Jobs => SubmitAsync(context),
            Exchanges.DeadLetter when facts.IsOwn(broker.User) => KeepAsync(facts, context.Message, context.CancellationToken),
            _ => RefuseAsync(facts, context),
        };
    }

    /// <summary>Logs how many submissions came this way since the last round: one line for many.</summary>
    public override Task OnceAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _taken, 0) is > 0 and var count)
        {
            Log.Taken(logger, count);
        }

        return Task.CompletedTask;
    }

    private Task SubmitAsync(ConsumeContext<RawMessage> context)
    {
        Interlocked.Increment(ref _taken);
        var intake = ActivatorUtilities.CreateInstance<IntakeConsumer>(services);
        return policy.Send(context, Pipe.ExecuteAsync<ConsumeContext<RawMessage>>(intake.Consume));
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
            Message = $"The message was published to \"{SubmissionFields.Cut(facts.Exchange)}\" and not to {Exchanges.Jobs}.",
            Fix = $"Publish jobs to the exchange {Exchanges.Jobs}, with the topic as the routing key.",
        };
        var source = SubmissionSource.Of(facts, context.Message.Cut);
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
