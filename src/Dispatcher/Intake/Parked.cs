using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>
/// Notes why the broker moved a message to the parked queue of <paramref name="source"/>, for the consumer of the source, which reads it
/// again, one message at a time. A message that was delivered together with one that ends the process came back as often, and ends well
/// here; what comes back from here as well is poison: <see cref="PoisonLetters"/>. A submission that expired or was rejected is not run. An
/// outcome or event is read whatever the reason: it is compared with the store, and a result that came late must not be lost.
/// </summary>
internal sealed partial class ParkedLog(string source, ILogger<ParkedLog> logger) : IFilter<ConsumeContext>
{
    public Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var aside = XDeath.Of(context, source);
        context.AddOrUpdatePayload(() => aside, _ => aside);
        Log.Parked(
            logger,
            source,
            aside.Reason,
            (source, aside.Reason) switch
            {
                (QueueNames.Intake, XDeath.Expired) => "it is not run and ends as expired",
                (QueueNames.Intake, XDeath.Rejected) => "it is not run and is kept as a dead letter",
                _ => "it is read again alone",
            }
        );
        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("parked");

    private static partial class Log
    {
        [LoggerMessage(EventIds.ParkedAgain, LogLevel.Warning, "The broker set a message of {Queue} aside, reason {Reason}: {Next}")]
        public static partial void Parked(ILogger logger, string queue, string reason, string next);
    }
}

/// <summary>Keeps what ended its reader again and again, alone too, as a dead letter. Nothing in here looks into it.</summary>
internal sealed class PoisonLetters(Refusals refusals)
{
    /// <summary>Keeps a message from the poison queue of <paramref name="source"/>, or from a source without one.</summary>
    public Task KeepAsync(string source, ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context);
        var error = new InputError
        {
            Code = Refusals.Poison,
            Where = source,
            Message = XDeath.Of(context, QueueNames.Parked(source)) is { Reason: not (XDeath.DeliveryLimit or XDeath.Unknown) } aside
                ? $"The broker set the message aside from {QueueNames.Parked(source)}, reason {aside.Reason}."
                : "Whoever read the message ended or failed, each time it was delivered, at last with no other of its queue beside it.",
            Fix = "Find the fault in the log of the servers at that time; the bytes are kept here. Hand it in again when it is mended.",
        };

        // Only a submission has its topic as its routing key. On other exchanges a sender chooses any key.
        var routingKey = source == QueueNames.Intake ? facts.RoutingKey : source;
        var from = new SubmissionSource
        {
            Channel = "amqp",
            Principal = facts.UserId,
            RoutingKey = routingKey,
            MessageId = facts.MessageId,
            Cut = context.Message.Cut,
        };
        return refusals.RefuseAsync(context.Message.Body, from, [error], context.CancellationToken, Refusals.Poison);
    }
}
