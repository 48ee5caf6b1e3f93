using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>Steps 1 and 2 for AMQP, in the consume pipeline of the intake queue: reads the body and asks the policy, before anything is stored.</summary>
internal sealed partial class IntakePolicyFilter(
    SubmissionReader reader,
    PolicyGate gate,
    ILogger<IntakePolicyFilter> logger,
    RabbitConnection? broker = null
) : IFilter<ConsumeContext<RawMessage>>
{
    public async Task Send(ConsumeContext<RawMessage> context, IPipe<ConsumeContext<RawMessage>> next)
    {
        var facts = DeliveryFacts.Of(context);
        var aside = context.TryGetPayload<XDeath>(out var found) ? found : null;
        var source = SubmissionSource.Of(facts, context.Message.Cut) with { IsExpired = aside?.Reason == XDeath.Expired };
        if (facts.IsOwn(broker?.User))
        {
            Log.OwnMessage(logger, facts.Type!, facts.RoutingKey);
            var own = new Reading(source, null, []) { IsDropped = true };
            context.AddOrUpdatePayload(() => own, _ => own);
            await next.Send(context);
            return;
        }

        var errors = new List<InputError>();
        if (aside?.Reason == XDeath.Rejected)
        {
            errors.Report(
                "rejected",
                "amqp:x-death",
                "Somebody took the message from the intake queue and rejected it.",
                "Publish it again if the job should run."
            );
        }

        var submission = reader.Read(context.Message.Body, source, errors);
        var evaluated = submission is null ? null : await gate.EvaluateAsync(submission.Job, Hop.Intake, context.CancellationToken);
        var reading = new Reading(source, evaluated, errors);
        context.AddOrUpdatePayload(() => reading, _ => reading);
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "intake");

    /// <summary>What the filter found: a evaluated job, or the errors.</summary>
    internal sealed record Reading(SubmissionSource Source, Evaluated<Job>? Evaluated, IReadOnlyList<InputError> Errors)
    {
        /// <summary>A message of the server itself: neither stored nor answered, because an answer would come back again.</summary>
        public bool IsDropped { get; init; }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.OwnMessageDropped,
            LogLevel.Warning,
            "Dropped a message of type {Type} that this server sent, with routing key {RoutingKey}: a queue dead-letters it to the intake exchange. "
                + "Find the queue with that x-dead-letter-exchange and remove the argument"
        )]
        public static partial void OwnMessage(ILogger logger, string type, string routingKey);
    }
}

/// <summary>Stores what the filter has read and evaluated, and answers. The message is acked when it is committed, not before.</summary>
internal sealed class IntakeConsumer(JobIntake intake, Refusals refusals, FinalReplies finals, IStore store, JobEvents events, Relay relay)
    : IConsumer<RawMessage>
{
    public async Task Consume(ConsumeContext<RawMessage> context)
    {
        var reading = context.GetPayload<IntakePolicyFilter.Reading>();
        if (reading.IsDropped)
        {
            return;
        }

        if (reading.Evaluated is null)
        {
            await RefuseAsync(context, reading.Source, reading.Errors);
            return;
        }

        var result = await intake.AcceptAsync(reading.Evaluated, reading.Source, context.CancellationToken);
        if (result.Outcome == IntakeOutcome.Malformed)
        {
            await RefuseAsync(context, reading.Source, result.Errors);
            return;
        }

        if (result.Answer is null)
        {
            await ConflictAsync(reading.Evaluated.Subject, reading.Source, context.CancellationToken);
            return;
        }

        Answer(reading.Source, MessageTypes.Decision, JsonSerializer.SerializeToUtf8Bytes(result.Answer, WireJson.Default.JobDecision));
        if (
            result.Outcome == IntakeOutcome.Known
            && await finals.OfAsync(result.Answer.JobId, reading.Source, context.CancellationToken) is { } final
        )
        {
            relay.Answer(final);
        }
    }

    private async Task RefuseAsync(ConsumeContext<RawMessage> context, SubmissionSource source, IReadOnlyList<InputError> errors) =>
        Answer(source, await refusals.RefuseAsync(context.Message.Body, source, errors, context.CancellationToken));

    /// <summary>Tells the one who sent it, and nothing of the job it is in conflict with.</summary>
    private async Task ConflictAsync(Job job, SubmissionSource source, CancellationToken cancellationToken)
    {
        var conflict = Conflicts.Of(job);
        var told = events.OfRefusal(source.Principal, source.RoutingKey, job.JobId, conflict.Errors[0].Message);
        await store.RecordAsync([], told, cancellationToken);
        relay.Offer(told);
        Answer(source, conflict);
    }

    private void Answer(SubmissionSource source, Refused refused) =>
        Answer(source, MessageTypes.Refused, JsonSerializer.SerializeToUtf8Bytes(refused, WireJson.Default.Refused));

    private void Answer(SubmissionSource source, string type, byte[] body)
    {
        if (source.AllowedReplyTo is { } queue)
        {
            relay.Answer(new Reply(queue, source.CorrelationId, type, body));
        }
    }
}

/// <summary>What is said of a submission whose id or key stands for another job.</summary>
internal static class Conflicts
{
    public static Refused Of(Job job) =>
        new()
        {
            Code = "conflict",
            Errors =
            [
                new InputError
                {
                    Code = "conflict",
                    Where = job.IdempotencyKey is null ? "/job_id" : "/idempotency_key",
                    Message = $"Job {job.JobId} or its key was handed in before by the same principal, with other content.",
                    Fix = "Use a new job_id and idempotency_key for another job; send the very same content to ask for the first answer.",
                },
            ],
        };
}
