using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Topology;
using MassTransit;

namespace Dispatcher.Messaging;

/// <summary>
/// Logs what comes from the parked queue of <paramref name="source"/>. The consumer of the source runs it again, one message at a time: a
/// message that was delivered together with one that ends the process came back as often, and ends well here. What comes back from here as
/// well is poison: <see cref="PoisonLetters"/>.
/// </summary>
internal sealed partial class ParkedLog(string source, ILogger<ParkedLog> logger) : IFilter<ConsumeContext>
{
    public Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        Log.Again(logger, source);
        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("parked");

    private static partial class Log
    {
        [LoggerMessage(EventIds.ParkedAgain, LogLevel.Warning, "A message came back to {Queue} too often; it is run again alone")]
        public static partial void Again(ILogger logger, string queue);
    }
}

/// <summary>Keeps what ended its reader again and again, alone too, as a dead letter. Nothing in here looks into it.</summary>
internal sealed class PoisonLetters(Refusals refusals)
{
    /// <summary>Keeps a message from the poison queue of <paramref name="source"/>.</summary>
    public Task KeepAsync(string source, ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context);
        var error = new InputError
        {
            Code = Refusals.Poison,
            Where = source,
            Message = "Whoever read the message ended or failed, each time it was delivered, at last with no other of its queue beside it.",
            Fix = "Find the fault in the log of the servers at that time; the bytes are kept here. Hand it in again when it is mended.",
        };

        // Only a submission has its topic as its routing key. On other exchanges a sender chooses any key.
        var routingKey = source == QueueNames.Intake ? facts.RoutingKey : source;
        var from = new SubmissionSource
        {
            Door = "amqp",
            Principal = facts.UserId,
            RoutingKey = routingKey,
            MessageId = facts.MessageId,
            Cut = context.Message.Cut,
        };
        return refusals.RefuseAsync(context.Message.Body, from, [error], context.CancellationToken, Refusals.Poison);
    }
}
