using System.Diagnostics;
using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;

namespace Dispatcher.Dispatching;

/// <summary>
/// Moves an evaluated job to its pool, or to the state that the decision requires. A decision is only committed while its bundle is still
/// in force.
/// </summary>
internal sealed partial class JobDispatch(
    MoveWriter moves,
    PolicyGate gate,
    Approvers approvers,
    Contradictions contradictions,
    CurrentBundle current,
    Permits permits,
    StoreClock clock,
    TimeProvider time,
    ILogger<JobDispatch> logger
)
{
    /// <summary>Dispatches one job. If another move of the job was committed first, nothing is written.</summary>
    public Task DispatchAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken) =>
        MoveAsync(evaluated, mayDispatch: true, cancellationToken);

    /// <summary>
    /// Holds, denies or expires one job if the decision requires it. A job that may be dispatched stays in its backlog until a slot is
    /// free.
    /// </summary>
    public Task HoldOrEndAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken) =>
        MoveAsync(evaluated, mayDispatch: false, cancellationToken);

    private async Task MoveAsync(Evaluated<Job> evaluated, bool mayDispatch, CancellationToken cancellationToken)
    {
        while (IsWaiting(evaluated.Subject))
        {
            using var span = mayDispatch ? JobSpans.Dispatch(evaluated.Subject) : null;
            var move = await DecidedAsync(evaluated, cancellationToken);
            if (move.After.State == JobState.Dispatched && !mayDispatch)
            {
                return;
            }

            span?.SetTag("dispatcher.state", WireNames.Of(move.After.State)).SetTag("dispatcher.job.attempt", move.After.Attempt);
            var result = await moves.AddAsync(move, cancellationToken);
            if (result == MoveResult.Contradicted)
            {
                result = await DenyAsync(evaluated, cancellationToken);
            }
            else if (result == MoveResult.Moved && evaluated.Decision.Reason == PolicyGate.HashMismatch)
            {
                LogContradicted(evaluated.Subject, "The stored job does not have its job hash.");
            }

            if (result != MoveResult.PolicyChanged)
            {
                return;
            }

            await current.OnceAsync(cancellationToken);
            evaluated = await gate.EvaluateAsync(evaluated.Subject, Hop.Dispatch, cancellationToken);

            // Without a readable bundle no final move is made. A job whose topic was given to another pool needs a slot of that pool.
            if (
                evaluated.Decision.Reason == ReasonCodes.NoBundle
                || (evaluated.Decision.JobClass?.Pool is { } pool && pool != evaluated.Subject.Pool)
            )
            {
                return;
            }
        }
    }

    /// <summary>Whether a job is in a backlog.</summary>
    private static bool IsWaiting(Job job) => job.State is JobState.Accepted or JobState.Approved or JobState.Retrying;

    /// <summary>Ends a job that the timeline contradicts. Denied is final, so that a changed row is never dispatched.</summary>
    private async Task<MoveResult> DenyAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken)
    {
        var job = evaluated.Subject;
        var why = await contradictions.WhyAsync(job, cancellationToken);
        LogContradicted(job, why);
        return await moves.AddAsync(Denied(PolicyGate.Contradicted(evaluated, why)), cancellationToken);
    }

    private void LogContradicted(Job job, string why)
    {
        using var scope = JobScope.Begin(logger, job);
        Log.Contradicted(logger, job.JobId, job.Attempt + 1, why);
    }

    private async ValueTask<Move> DecidedAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken)
    {
        var job = evaluated.Subject;
        if (job.NotAfter <= clock.Now)
        {
            return JobEnds.Expired(job);
        }

        return evaluated.Decision.Verdict switch
        {
            Verdict.Deny => Denied(evaluated),
            Verdict.RequireApproval => await ApprovedAsync(evaluated, cancellationToken),
            Verdict.Allow or Verdict.AllowWithConstraints => await AllowedAsync(evaluated, cancellationToken),
        };
    }

    private static Move Denied(Evaluated<Job> evaluated)
    {
        var after = evaluated.Subject.With(evaluated.Decision) with { State = JobState.Denied };
        return new Move(evaluated.Subject, after) { Entry = DispatchEntries.Evaluated(TimelineKinds.Denied, after, evaluated) };
    }

    /// <summary>
    /// Dispatches a job that has an approval of exactly this job under exactly these rules; otherwise holds it for one. The store consumes
    /// the approval with the move, or makes no move.
    /// </summary>
    private async ValueTask<Move> ApprovedAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken)
    {
        var job = evaluated.Subject;
        var approval = job.ApprovalRound == 0 ? null : await approvers.RoundAsync(job.JobId, job.ApprovalRound, cancellationToken);
        var use = ApprovalUse.Of(
            job,
            evaluated.Decision,
            approval,
            approval is null ? [] : await approvers.CurrentVotersAsync(approval, cancellationToken),
            clock.Now
        );
        return use.Verdict switch
        {
            UseVerdict.Use => await AllowedAsync(evaluated, cancellationToken),
            UseVerdict.Expired => JobEnds.Ended(job, JobState.Expired, TimelineKinds.Expired, use.Why!),
            UseVerdict.Hold => Held(evaluated, use.Why),
        };
    }

    private Move Held(Evaluated<Job> evaluated, string? why)
    {
        var (held, approval) = ApprovalRounds.Hold(evaluated.Subject, evaluated.Decision, clock.Now);
        return new Move(evaluated.Subject, held)
        {
            Entry = DispatchEntries.Evaluated(TimelineKinds.Held, held, evaluated, why: why),
            Opens = approval,
        };
    }

    private async ValueTask<Move> AllowedAsync(Evaluated<Job> evaluated, CancellationToken cancellationToken)
    {
        var jobClass = evaluated.Decision.JobClass ?? throw new UnreachableException("A job of an unknown topic is denied.");
        var after = Dispatched(evaluated.Subject, evaluated.Decision, jobClass, clock.Now);
        var body = WorkBody.Of(after, jobClass.Idempotent);
        var permit = new ClaimedPermit(Guid.CreateVersion7(time.GetUtcNow()), Convert.ToHexStringLower(SHA256.HashData(body)));
        return new Move(evaluated.Subject, after)
        {
            Entry = DispatchEntries.Evaluated(TimelineKinds.Dispatched, after, evaluated, permit),
            PermitId = permit.PermitId,
            Outbox = [await WorkAsync(after, body, permit, cancellationToken)],
        };
    }

    /// <summary>The job with its next attempt and the time limits of the attempt.</summary>
    internal static Job Dispatched(Job job, Decision decision, JobClass jobClass, long now)
    {
        // The wait in the backlog does not count: the claim moves the deadline by it (AttemptClaims.Running).
        var overallDeadline = job.OverallDeadline ?? job.ReadyAt + Timestamps.Micros(jobClass.OverallWithin);
        var startBy = Math.Min(now + Timestamps.Micros(jobClass.StartWithin), job.NotAfter ?? long.MaxValue);
        return job.With(decision) with
        {
            State = JobState.Dispatched,
            Attempt = job.Attempt + 1,
            Pool = jobClass.Pool,
            StartBy = startBy,
            RunLimitUs = RunLimit(jobClass, decision.Constraints, overallDeadline - job.ReadyAt),
            OverallDeadline = overallDeadline,
            HeartbeatUs = Timestamps.Micros(jobClass.HeartbeatEvery),
            DueAt = startBy + Timestamps.Micros(Leases.Grace),
            // The store writes its own. A claim in this process measures from here.
            UpdatedAt = now,
        };
    }

    /// <summary>The limit of the topic, tightened by the rules and by the rest of the time for all attempts.</summary>
    private static long RunLimit(JobClass jobClass, Constraints? constraints, long left) =>
        Math.Min(Math.Min(Timestamps.Micros(jobClass.RunWithin), constraints?.TimeoutMs * 1_000 ?? long.MaxValue), Math.Max(left, 1_000));

    private async ValueTask<OutboxMessage> WorkAsync(Job job, byte[] body, ClaimedPermit permit, CancellationToken cancellationToken)
    {
        var signed = await permits.SignAsync(
            new PermitClaims
            {
                Jti = permit.PermitId,
                Sub = job.JobId,
                Att = job.Attempt,
                Aud = job.Pool!,
                Exp = Timestamps.At(job.StartBy!.Value).AddSeconds(1).ToUnixTimeSeconds(),
                Bh = permit.WorkSha256,
            },
            cancellationToken
        );
        var headers = new Dictionary<string, string> { [Headers.Permit] = signed };
        if (JobSpans.ContextFor(job) is { } trace)
        {
            headers[Headers.TraceParent] = trace;
        }

        return new OutboxMessage
        {
            MessageId = permit.PermitId,
            Exchange = Exchanges.Work,
            RoutingKey = job.Pool!,
            Mandatory = true,
            Type = MessageTypes.Work,
            Body = body,
            Headers = headers,
            ExpiresAt = job.StartBy,
        };
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.DispatchContradicted,
            LogLevel.Error,
            "Job {JobId}, attempt {Attempt}, is not dispatched and is denied: its rows were changed outside the server. {Why}"
        )]
        public static partial void Contradicted(ILogger logger, Guid jobId, int attempt, string why);
    }
}
