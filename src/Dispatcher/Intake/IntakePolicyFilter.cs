using Dispatcher.Base;
using Dispatcher.Broker;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>
/// The policy in the consume pipeline of the intake, parked and unrouted queues: reads and evaluates each submission before a consumer sees
/// it. Passes a <see cref="ReceivedSubmission"/> on to <see cref="IntakeConsumer"/>.
/// </summary>
internal sealed partial class IntakePolicyFilter(
    JobIntake intake,
    ILogger<IntakePolicyFilter> logger,
    RabbitConnection? broker = null,
    NewerMessages? newer = null
) : IFilter<ConsumeContext>
{
    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var delivery = context.Raw();
        var facts = DeliveryFacts.Of(delivery).Proven(broker?.User);
        if (facts.IsOwn(broker?.User))
        {
            // Neither stored nor answered: an answer would come back as another submission.
            Log.OwnMessage(logger, facts.Type!, facts.RoutingKey);
            await delivery.EndHereAsync<IntakePolicyFilter>();
            return;
        }

        var source = SubmissionSource.Of(facts, delivery.Message);
        var body = delivery.Message.Body;
        var read = await intake.EvaluateAsync(body, source, context.CancellationToken);
        if (newer is not null && await newer.DelayAsync(QueueNames.Intake, delivery, read.Errors))
        {
            read.Span?.Dispose();
            await delivery.EndHereAsync<IntakePolicyFilter>();
            return;
        }

        await next.PassOnAsync(context, new ReceivedSubmission(source, body, read));
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "intake");

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.OwnMessageDropped,
            LogLevel.Warning,
            "Dropped a message of type {Type} that this server sent, with routing key {RoutingKey}: a queue dead-letters it to the "
                + "intake exchange. Find the queue with that x-dead-letter-exchange and remove the argument"
        )]
        public static partial void OwnMessage(ILogger logger, string type, string routingKey);
    }
}
