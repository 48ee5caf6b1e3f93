using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>
/// Adds to a message from the parked queue of <paramref name="source"/> the reason for which the broker moved it there. The consumer of the
/// source reads it again, one message at a time. A message that was only delivered together with one that crashes the
/// process reaches this queue too, and succeeds here. A message that comes back from here too is poison: <see cref="PoisonLetters"/>. A
/// submission that expired or was rejected is not run. A message that waited for a newer server gets its sender back. An outcome
/// or event is read for any reason: it is compared with the store, and a late result must not be lost.
/// </summary>
internal sealed partial class ParkedLog(string source, RabbitConnection broker, TimeProvider time, ILogger<ParkedLog> logger)
    : IFilter<ConsumeContext>
{
    public Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        if (WaitedMessage.Of(context, broker.User, source) is { } waited)
        {
            var expired = time.GetUtcNow() >= waited.ExpiresAt ? new XDeath(XDeath.Expired) : null;
            return next.PassOnAsync(context, context.Raw().Message with { Waited = waited, SetAside = expired });
        }

        var aside = XDeath.Of(context, source);
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
        return next.PassOnAsync(context, context.Raw().Message with { SetAside = aside });
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("parked");

    private static partial class Log
    {
        [LoggerMessage(EventIds.ParkedAgain, LogLevel.Warning, "The broker set a message of {Queue} aside, reason {Reason}: {Next}")]
        public static partial void Parked(ILogger logger, string queue, string reason, string next);
    }
}

/// <summary>Keeps a message as a dead letter that crashed its reader or failed each time, even alone. Does not read the body.</summary>
internal sealed class PoisonLetters(Refusals refusals, RabbitConnection? broker = null)
{
    /// <summary>Keeps a message from the poison queue of <paramref name="source"/>, or from a source without one.</summary>
    public Task KeepAsync(string source, ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context).Proven(broker?.User);
        if (broker is not null && WaitedMessage.Of(context, broker.User, source, QueueNames.Parked(source)) is { } waited)
        {
            facts = facts with { UserId = waited.UserId, RoutingKey = waited.RoutingKey };
        }

        var error = new InputError
        {
            Code = Refusals.Poison,
            Where = source,
            Message = XDeath.Of(context, QueueNames.Parked(source)) is { Reason: not (XDeath.DeliveryLimit or XDeath.Unknown) } aside
                ? $"The broker set the message aside from {QueueNames.Parked(source)}, reason {aside.Reason}."
                : "Each server that read the message ended or failed, the last time with no other message of its queue beside it.",
            Fix =
                "Find the fault in the log of the servers at that time; the bytes are kept here. Submit it again when the fault is fixed.",
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
