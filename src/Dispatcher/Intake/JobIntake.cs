using System.Diagnostics;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;

namespace Dispatcher.Intake;

/// <summary>
/// The intake use case: takes a submission from its bytes to its answer. Every channel calls <see cref="EvaluateAsync"/> and then
/// <see cref="AnswerAsync"/>: AMQP in <see cref="IntakePolicyFilter"/> and <see cref="IntakeConsumer"/>, HTTP in its endpoint.
/// </summary>
internal sealed partial class JobIntake(
    SubmissionReader reader,
    IntakeWriter writer,
    PolicyGate gate,
    CurrentBundle current,
    IStore store,
    Relay relay,
    JobEvents events,
    StoreClock clock,
    JobMetrics metrics,
    TimeProvider time,
    ILogger<JobIntake> logger
)
{
    private const string Expired = "the message expired on the broker before a server read it";

    /// <summary>Reads a submission and evaluates it for the first time. Stores nothing.</summary>
    public async ValueTask<EvaluatedSubmission> EvaluateAsync(
        ReadOnlyMemory<byte> body,
        SubmissionSource source,
        CancellationToken cancellationToken
    )
    {
        var began = time.GetTimestamp();
        var span = JobSpans.Intake(source.Channel, source.TraceParent, source.MessageId);
        try
        {
            return await ReadAndEvaluateAsync(body, source, span, began, cancellationToken);
        }
        catch
        {
            // AnswerAsync, which ends it otherwise, is not called.
            span?.SetStatus(ActivityStatusCode.Error).Dispose();
            throw;
        }
    }

    private async ValueTask<EvaluatedSubmission> ReadAndEvaluateAsync(
        ReadOnlyMemory<byte> body,
        SubmissionSource source,
        Activity? span,
        long began,
        CancellationToken cancellationToken
    )
    {
        var errors = new List<InputError>();
        if (reader.Read(body, span?.Id is { } own ? source with { TraceParent = own } : source, errors) is not { } submission)
        {
            return new EvaluatedSubmission(null, null, errors)
            {
                Channel = source.Channel,
                Began = began,
                Span = span,
            };
        }

        // :: Step 2
        var evaluated = await gate.EvaluateAsync(submission.Job, Hop.Intake, cancellationToken);
        return new EvaluatedSubmission(evaluated, submission, [])
        {
            Channel = source.Channel,
            Began = began,
            Span = span?.Of(submission.Job),
        };
    }

    /// <summary>Stores an evaluated submission and returns its answer, or the errors for which it is refused.</summary>
    public async Task<IntakeResult> AnswerAsync(EvaluatedSubmission read, CancellationToken cancellationToken)
    {
        using var span = read.Span;
        var result = read is { Evaluated: { } evaluated, Submission: { } submission }
            ? await AcceptAsync(evaluated, submission, cancellationToken)
            : new IntakeResult(IntakeOutcome.Malformed, null) { Errors = read.Errors };
        var outcome = IntakeOutcomes.NameOf(result.Outcome);
        span?.SetTag("dispatcher.intake.outcome", outcome);
        metrics.Submitted(read.Channel, outcome, time.GetElapsedTime(read.Began));
        if (result is { Outcome: IntakeOutcome.Stored, Answer: { } answer })
        {
            metrics.Entered(answer.State);
        }

        return result;
    }

    /// <summary>Stores an evaluated job. Evaluates it again if another bundle came into force before the commit.</summary>
    // :: Step 3
    public async Task<IntakeResult> AcceptAsync(Evaluated<Job> evaluated, Submission submission, CancellationToken cancellationToken)
    {
        while (true)
        {
            var acceptance = Decided(evaluated, submission);
            var result = await writer.AddAsync(acceptance, cancellationToken);
            switch (result.Outcome)
            {
                case IntakeOutcome.DeniedWithoutBundle:
                    await store.RecordAsync([acceptance.Entry], acceptance.Outbox, cancellationToken);
                    relay.Offer(acceptance.Outbox);
                    return result;
                case IntakeOutcome.Conflict:
                    return result with { Errors = Conflicts.Of(submission.Job) };
                case IntakeOutcome.Stored or IntakeOutcome.Known or IntakeOutcome.Malformed:
                    return result;
                case IntakeOutcome.PolicyChanged or IntakeOutcome.IdTaken:
                    await current.OnceAsync(cancellationToken);
                    var subject = result.Outcome == IntakeOutcome.IdTaken ? Renamed(evaluated.Subject) : evaluated.Subject;
                    evaluated = await gate.EvaluateAsync(subject, Hop.Intake, cancellationToken);
                    break;
            }
        }
    }

    /// <summary>
    /// An id belongs to its principal. When another principal has a job with the same id, this job is stored under an id of its own, and
    /// its answer discloses nothing of the other job.
    /// </summary>
    private Job Renamed(Job job)
    {
        var own = JobIds.Derived(job.Principal, job.JobId);
        using var scope = JobScope.Begin(logger, job);
        Log.IdTaken(logger, job.Principal, job.JobId, own);
        return job with { JobId = own };
    }

    private Acceptance Decided(Evaluated<Job> evaluated, Submission submission)
    {
        var decision = evaluated.Decision;
        var now = clock.Now;
        var fresh = evaluated.Subject with { CreatedAt = now, UpdatedAt = now, ReadyAt = now, Pool = decision.JobClass?.Pool };
        var (job, approval) = decision.Verdict switch
        {
            Verdict.RequireApproval => ApprovalRounds.Hold(fresh, decision, now),
            Verdict.Deny => (fresh.With(decision) with { State = JobState.Denied }, (Approval?)null),
            Verdict.Allow or Verdict.AllowWithConstraints => (
                fresh.With(decision) with
                {
                    State = JobState.Accepted,
                    DueAt = fresh.NotAfter,
                },
                null
            ),
        };
        var denied = job.State == JobState.Denied;
        var expired = submission.Source.IsExpired && !denied;
        if (expired)
        {
            (job, approval) = (fresh.With(decision) with { State = JobState.Expired, Reason = Expired }, null);
        }

        var answer = Answer(job);
        return new Acceptance
        {
            Job = denied ? null : job,
            Denial = denied ? Denied(job) : null,
            Approval = approval,
            IsDeniedWithoutBundle = decision.Reason == ReasonCodes.NoBundle,
            PayloadErrors = decision.PayloadErrors,
            Entry = IntakeEntries.Submitted(expired ? TimelineKinds.Accepted : WireNames.Of(job.State), job, submission, evaluated, answer),
            End = expired ? JobEntries.Repaired(TimelineKinds.Expired, job, Expired) : null,
            Outbox = events.Of(job),
            Answer = answer,
        };
    }

    private static Denial Denied(Job job) =>
        new()
        {
            JobId = job.JobId,
            Principal = job.Principal,
            Topic = job.Topic,
            IdempotencyKey = job.IdempotencyKey,
            JobHash = job.JobHash,
            PolicyHash = job.PolicyHash,
            Labels = job.Labels,
            RiskTags = job.RiskTags,
            Payload = job.Payload.Length <= Denial.MaxPayloadBytes ? job.Payload : null,
            WorkflowId = job.WorkflowId,
        };

    private static JobDecision Answer(Job job) =>
        new()
        {
            JobId = job.JobId,
            State = job.State,
            Verdict = job.Verdict,
            Rules = job.Rules,
            Reason = job.Reason,
            Constraints = job.Constraints,
            PolicyHash = job.PolicyHash,
            JobHash = job.JobHash,
            ApprovalId = job.State == JobState.Held ? Approval.NameOf(job.JobId, job.ApprovalRound) : null,
        };

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.JobIdTaken,
            LogLevel.Warning,
            "A submission of {Principal} has the id {JobId}, under which another principal has a job or a denial; "
                + "the server handles it as job {OwnId}. If this happens often, a client guesses ids in advance"
        )]
        public static partial void IdTaken(ILogger logger, string principal, Guid jobId, Guid ownId);
    }
}
