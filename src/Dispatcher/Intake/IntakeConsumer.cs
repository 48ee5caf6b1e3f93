using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using MassTransit;

namespace Dispatcher.Intake;

/// <summary>
/// Stores the submissions that <see cref="IntakePolicyFilter"/> has read and evaluated, keeps those that are malformed as dead letters, and
/// answers over AMQP. A message is acked after the commit: a crash before it redelivers the message, and intake recognizes the job.
/// </summary>
internal sealed class IntakeConsumer(JobIntake intake, Refusals refusals, FinalReplies finals, IStore store, JobEvents events, Relay relay)
    : IConsumer<ReceivedSubmission>
{
    public async Task Consume(ConsumeContext<ReceivedSubmission> context)
    {
        var (source, body, read) = context.Message;
        var result = await intake.AnswerAsync(read, context.CancellationToken);
        if (result.Outcome == IntakeOutcome.Malformed)
        {
            Reply(source, await refusals.RefuseAsync(body, source, result.Errors, context.CancellationToken));
        }
        else if (result.Answer is { } answer)
        {
            Reply(source, MessageTypes.Decision, JsonSerializer.SerializeToUtf8Bytes(answer, WireJson.Default.JobDecision));
            await ReplyFinalAsync(result.Outcome, answer.JobId, source, context.CancellationToken);
        }
        else
        {
            await RecordConflictAsync(result, read.Submission!, context.CancellationToken);
            Reply(source, new Refused { Code = Conflicts.Code, Errors = result.Errors });
        }
    }

    /// <summary>The event goes to the submitter alone. It contains nothing of the job that the submission conflicts with.</summary>
    private async Task RecordConflictAsync(IntakeResult result, Submission submission, CancellationToken cancellationToken)
    {
        var source = submission.Source;
        var refusal = events.OfRefusal(source.Principal, source.RoutingKey, submission.Job.JobId, result.Errors[0].Message);
        await store.RecordAsync([], refusal, cancellationToken);
        relay.Offer(refusal);
    }

    /// <summary>The submitter of a job that has ended may have missed the first reply.</summary>
    private async Task ReplyFinalAsync(IntakeOutcome outcome, Guid jobId, SubmissionSource source, CancellationToken cancellationToken)
    {
        if (outcome == IntakeOutcome.Known && await finals.OfAsync(jobId, source, cancellationToken) is { } final)
        {
            relay.Answer(final);
        }
    }

    private void Reply(SubmissionSource source, Refused refused) =>
        Reply(source, MessageTypes.Refused, JsonSerializer.SerializeToUtf8Bytes(refused, WireJson.Default.Refused));

    private void Reply(SubmissionSource source, string type, byte[] body)
    {
        if (source.AllowedReplyTo is { } queue)
        {
            relay.Answer(new Reply(queue, source.CorrelationId, type, body));
        }
    }
}
