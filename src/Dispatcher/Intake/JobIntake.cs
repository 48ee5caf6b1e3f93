using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;

namespace Dispatcher.Intake;

/// <summary>Steps 2 and 3: takes a evaluated submission and stores what came of it. The same for AMQP and HTTP.</summary>
internal sealed partial class JobIntake(
    IntakeWriter writer,
    PolicyGate gate,
    CurrentBundle current,
    IStore store,
    Relay relay,
    JobEvents events,
    StoreClock clock,
    ILogger<JobIntake> logger
)
{
    private const string Expired = "the message expired on the broker before a server read it";

    public async Task<IntakeResult> AcceptAsync(Evaluated<Job> evaluated, SubmissionSource source, CancellationToken cancellationToken)
    {
        while (true)
        {
            var acceptance = Decided(evaluated, source);
            var result = await writer.AddAsync(acceptance, cancellationToken);
            if (acceptance.ForNow && result.Outcome == IntakeOutcome.Stored)
            {
                await store.RecordAsync([acceptance.Entry], acceptance.Outbox, cancellationToken);
                relay.Offer(acceptance.Outbox);
            }

            if (result.Outcome is not (IntakeOutcome.PolicyChanged or IntakeOutcome.IdTaken))
            {
                return result;
            }

            await current.OnceAsync(cancellationToken);
            var subject = result.Outcome == IntakeOutcome.IdTaken ? Renamed(evaluated.Subject) : evaluated.Subject;
            evaluated = await gate.EvaluateAsync(subject, Hop.Intake, cancellationToken);
        }
    }

    /// <summary>
    /// An identity belongs to its principal. That another one has the same id must not keep this job away, and must tell nothing of that
    /// one's job.
    /// </summary>
    private Job Renamed(Job job)
    {
        var own = JobIds.Derived(job.Principal, job.JobId);
        Log.IdTaken(logger, job.Principal, job.JobId, own);
        return job with { JobId = own };
    }

    private Acceptance Decided(Evaluated<Job> evaluated, SubmissionSource source)
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
        var expired = source.IsExpired && !denied;
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
            ForNow = decision.Reason == ReasonCodes.NoBundle,
            PayloadErrors = decision.PayloadErrors,
            Entry = IntakeEntries.Submitted(expired ? TimelineKinds.Accepted : WireNames.Of(job.State), job, source, evaluated, answer),
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
                + "it is handled as job {OwnId}. If this happens often, somebody guesses ids in advance"
        )]
        public static partial void IdTaken(ILogger logger, string principal, Guid jobId, Guid ownId);
    }
}
