using System.Diagnostics;
using System.Security.Cryptography;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Storage;

namespace Dispatcher.Dispatching;

/// <summary>Step 5: moves a judged job to its pool, or to where the decision leads. What it decides is only committed while the bundle that decided is still in force.</summary>
internal sealed partial class JobDispatch(
    MoveWriter moves,
    PolicyGate gate,
    Approvers approvers,
    Witnesses witnesses,
    CurrentBundle current,
    Permits permits,
    StoreClock clock,
    TimeProvider time,
    ILogger<JobDispatch> logger
)
{
    /// <summary>Dispatches one job. A job that has moved on meanwhile is left alone: whoever moved it saw to the rest.</summary>
    public Task DispatchAsync(Judged<Job> judged, CancellationToken cancellationToken) => MoveAsync(judged, mayGo: true, cancellationToken);

    /// <summary>
    /// Holds, denies or expires one job if the decision says so, and leaves it in its line if it may go: how many go is for the pool's
    /// turns to
    /// say. So a new round of approval needs no worker.
    /// </summary>
    public Task HoldAsync(Judged<Job> judged, CancellationToken cancellationToken) => MoveAsync(judged, mayGo: false, cancellationToken);

    private async Task MoveAsync(Judged<Job> judged, bool mayGo, CancellationToken cancellationToken)
    {
        while (IsWaiting(judged.Subject))
        {
            var move = await DecidedAsync(judged, cancellationToken);
            if (move.After.State == JobState.Dispatched && !mayGo)
            {
                return;
            }

            var result = await moves.AddAsync(move, cancellationToken);
            if (result == MoveResult.Contradicted)
            {
                result = await DenyAsync(judged, cancellationToken);
            }
            else if (result == MoveResult.Moved && judged.Decision.Reason == PolicyGate.HashMismatch)
            {
                const string Why = "What is stored of it does not have its job hash.";
                Log.Contradicted(logger, judged.Subject.JobId, judged.Subject.Attempt + 1, Why);
            }

            if (result != MoveResult.PolicyChanged)
            {
                return;
            }

            await current.OnceAsync(cancellationToken);
            judged = await gate.JudgeAsync(judged.Subject, Hop.Dispatch, cancellationToken);

            // Nothing final may come of a bundle that cannot be read; and a job whose topic went to another pool has the window of that one to pass.
            if (
                judged.Decision.Reason == ReasonCodes.NoBundle
                || (judged.Decision.JobClass?.Pool is { } pool && pool != judged.Subject.Pool)
            )
            {
                return;
            }
        }
    }

    /// <summary>Whether a job waits for its turn.</summary>
    public static bool IsWaiting(Job job) => job.State is JobState.Accepted or JobState.Approved or JobState.Retrying;

    /// <summary>Ends a job that the timeline contradicts. A row that somebody changed is never dispatched later either.</summary>
    private async Task<MoveResult> DenyAsync(Judged<Job> judged, CancellationToken cancellationToken)
    {
        var job = judged.Subject;
        var why = await witnesses.WhyAsync(job, cancellationToken);
        Log.Contradicted(logger, job.JobId, job.Attempt + 1, why);
        return await moves.AddAsync(Denied(PolicyGate.Contradicted(judged, why)), cancellationToken);
    }

    private async ValueTask<Move> DecidedAsync(Judged<Job> judged, CancellationToken cancellationToken)
    {
        var job = judged.Subject;
        if (job.NotAfter <= clock.Now)
        {
            return JobEnds.Expired(job);
        }

        return judged.Decision.Verdict switch
        {
            Verdict.Deny => Denied(judged),
            Verdict.RequireApproval => await ApprovedAsync(judged, cancellationToken),
            Verdict.Allow or Verdict.AllowWithConstraints => await AllowedAsync(judged, cancellationToken),
        };
    }

    private static Move Denied(Judged<Job> judged)
    {
        var after = judged.Subject.With(judged.Decision) with { State = JobState.Denied };
        return new Move(judged.Subject, after) { Entry = DispatchEntries.Judged(TimelineKinds.Denied, after, judged) };
    }

    /// <summary>Lets a job go that has an approval of just this job under just these rules; else holds it for one. The store consumes the approval with the move, or moves nothing.</summary>
    private async ValueTask<Move> ApprovedAsync(Judged<Job> judged, CancellationToken cancellationToken)
    {
        var job = judged.Subject;
        var approval = job.ApprovalRound == 0 ? null : await approvers.RoundAsync(job.JobId, job.ApprovalRound, cancellationToken);
        var use = ApprovalUse.Of(
            job,
            judged.Decision,
            approval,
            approval is null ? [] : await approvers.StillAsync(approval, cancellationToken),
            clock.Now
        );
        return use.Verdict switch
        {
            UseVerdict.Use => await AllowedAsync(judged, cancellationToken),
            UseVerdict.Expired => JobEnds.Ended(job, JobState.Expired, TimelineKinds.Expired, use.Why!),
            UseVerdict.Hold => Held(judged, use.Why),
        };
    }

    private Move Held(Judged<Job> judged, string? why)
    {
        var (held, approval) = ApprovalRounds.Hold(judged.Subject, judged.Decision, clock.Now);
        return new Move(judged.Subject, held)
        {
            Entry = DispatchEntries.Judged(TimelineKinds.Held, held, judged, why: why),
            Opens = approval,
        };
    }

    private async ValueTask<Move> AllowedAsync(Judged<Job> judged, CancellationToken cancellationToken)
    {
        var jobClass = judged.Decision.JobClass ?? throw new UnreachableException("A job of an unknown topic is denied.");
        var after = Dispatched(judged.Subject, judged.Decision, jobClass, clock.Now);
        var body = WorkBody.Of(after, jobClass.Idempotent);
        var permit = new ClaimedPermit(Guid.CreateVersion7(time.GetUtcNow()), Convert.ToHexStringLower(SHA256.HashData(body)));
        return new Move(judged.Subject, after)
        {
            Entry = DispatchEntries.Judged(TimelineKinds.Dispatched, after, judged, permit),
            PermitId = permit.PermitId,
            Outbox = [await WorkAsync(after, body, permit, cancellationToken)],
        };
    }

    /// <summary>The job with another attempt under way, and its limits.</summary>
    internal static Job Dispatched(Job job, Decision decision, JobClass jobClass, long now)
    {
        var giveUpAt = job.GiveUpAt ?? job.ReadyAt + Timestamps.Micros(jobClass.OverallWithin);
        var startBy = Math.Min(now + Timestamps.Micros(jobClass.StartWithin), job.NotAfter ?? long.MaxValue);
        return job.With(decision) with
        {
            State = JobState.Dispatched,
            Attempt = job.Attempt + 1,
            Pool = jobClass.Pool,
            StartBy = startBy,
            RunLimitUs = RunLimit(jobClass, decision.Constraints, giveUpAt - job.ReadyAt),
            GiveUpAt = giveUpAt,
            HeartbeatUs = Timestamps.Micros(jobClass.HeartbeatEvery),
            DueAt = startBy + Timestamps.Micros(Leases.Grace),
        };
    }

    /// <summary>The topic's limit, tightened by the rules, and by what is left of the time for all attempts.</summary>
    private static long RunLimit(JobClass jobClass, Constraints? constraints, long left) =>
        Math.Min(Math.Min(Timestamps.Micros(jobClass.RunWithin), constraints?.TimeoutMs * 1_000 ?? long.MaxValue), Math.Max(left, 1_000));

    private async ValueTask<OutboxMessage> WorkAsync(Job job, byte[] body, ClaimedPermit of, CancellationToken cancellationToken)
    {
        var permit = await permits.SignAsync(
            new PermitClaims
            {
                Jti = of.PermitId,
                Sub = job.JobId,
                Att = job.Attempt,
                Aud = job.Pool!,
                Exp = Timestamps.At(job.StartBy!.Value).AddSeconds(1).ToUnixTimeSeconds(),
                Bh = of.WorkSha256,
            },
            cancellationToken
        );
        var headers = new Dictionary<string, string> { [Headers.Permit] = permit };
        if (job.TraceParent is not null)
        {
            headers[Headers.TraceParent] = job.TraceParent;
        }

        return new OutboxMessage
        {
            MessageId = of.PermitId,
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
            "Job {JobId}, attempt {Attempt}, is not dispatched and is denied: somebody changed its rows. {Why}"
        )]
        public static partial void Contradicted(ILogger logger, Guid jobId, int attempt, string why);
    }
}
