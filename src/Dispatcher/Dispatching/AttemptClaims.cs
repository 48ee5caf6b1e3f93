using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>Gives each attempt to one worker, once. Without a claim no attempt runs. Reads no payload and no result.</summary>
internal sealed partial class AttemptClaims(
    Permits permits,
    MoveWriter moves,
    LiveJobs live,
    IDbContextFactory<DispatcherDb> database,
    StoreClock clock,
    ILogger<AttemptClaims> logger
)
{
    /// <summary>Answers each permit separately, in order. <paramref name="serves"/>: whether the caller's key may serve a pool.</summary>
    // :: Step 7
    public async Task<ClaimAnswer> ClaimAsync(
        ClaimRequest request,
        string subject,
        Func<string, bool> serves,
        CancellationToken cancellationToken
    )
    {
        var claims = new List<PermitClaims?>();
        foreach (var permit in request.Permits)
        {
            var claim = await permits.VerifyAsync(permit, cancellationToken);
            claims.Add(claim is not null && serves(claim.Aud) ? claim : null);
        }

        // A message that was sent twice may reach one worker twice, and both permits come in one request: only the first may be granted.
        var seen = new HashSet<Guid>();
        var repeated = claims.Select(claim => claim is not null && !seen.Add(claim.Jti)).ToList();

        var byJob = claims.OfType<PermitClaims>().ToLookup(claim => claim.Sub);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var closed = await ClosedPoolsAsync(
            db,
            [.. claims.OfType<PermitClaims>().Select(claim => claim.Aud).Distinct()],
            request.Worker,
            subject,
            cancellationToken
        );
        var jobs = await live.ReadAsync(
            [.. byJob.Select(group => group.Key)],
            job => byJob[job.JobId].All(claim => job.State == JobState.Dispatched && Check(claim, job) == ClaimStatus.Granted),
            cancellationToken
        );
        var answers = await Task.WhenAll(
            claims.Select(
                (claim, i) =>
                    repeated[i]
                        ? Task.FromResult(new Claim { Status = ClaimStatus.Taken, PermitId = claim!.Jti })
                        : ClaimAsync(
                            claim,
                            claim is null ? null : jobs.GetValueOrDefault(claim.Sub),
                            closed,
                            request,
                            subject,
                            cancellationToken
                        )
            )
        );
        return new ClaimAnswer { Claims = answers };
    }

    /// <summary>
    /// The pools for which the instance is registered without all constraints that they require. Its next heartbeat reports this. Until
    /// then its claims are refused, because it would run jobs without a required constraint.
    /// </summary>
    private static async Task<IReadOnlySet<string>> ClosedPoolsAsync(
        DispatcherDb db,
        List<string> pools,
        string instance,
        string subject,
        CancellationToken cancellationToken
    )
    {
        var registered = await db
            .Workers.WithoutLists()
            .Where(row => pools.Contains(row.Pool) && row.Principal == subject && row.Instance == instance)
            .ToListAsync(cancellationToken);
        return registered.Where(worker => worker.Missing.Count > 0).Select(worker => worker.Pool).ToHashSet(StringComparer.Ordinal);
    }

    private async Task<Claim> ClaimAsync(
        PermitClaims? permit,
        Job? job,
        IReadOnlySet<string> closed,
        ClaimRequest request,
        string subject,
        CancellationToken cancellationToken
    )
    {
        // A permit is valid for the pool of its attempt only: a signature alone does not give access to the jobs of another pool.
        if (permit is null || job is null || permit.Aud != job.Pool || (job.State == JobState.Dispatched && closed.Contains(permit.Aud)))
        {
            return new Claim { Status = ClaimStatus.Invalid };
        }

        // A repeated request gets the same run, so that a lost answer does no harm.
        var runId = UuidV5.Of("run", permit.Jti.ToString(), request.ClaimId.ToString());
        var status = IsRepeated(job, runId, request.Worker, subject) ? ClaimStatus.Granted : Check(permit, job);
        if (status == ClaimStatus.Granted && job.State == JobState.Dispatched)
        {
            var moved = await moves.AddAsync(Claimed(job, permit, runId, request.Worker, subject), cancellationToken);
            status = moved switch
            {
                MoveResult.Moved => ClaimStatus.Granted,
                MoveResult.Contradicted => Forged(permit, subject),
                MoveResult.Stale or MoveResult.PolicyChanged => await AfterRaceAsync(
                    runId,
                    permit,
                    request.Worker,
                    subject,
                    cancellationToken
                ),
            };
        }

        return new Claim
        {
            Status = status,
            PermitId = permit.Jti,
            RunId = status == ClaimStatus.Granted ? runId : null,
        };
    }

    /// <summary>
    /// The row moved between reading and committing: another claim was first, or this claim was committed and the answer of the store was
    /// lost.
    /// </summary>
    private async Task<ClaimStatus> AfterRaceAsync(
        Guid runId,
        PermitClaims permit,
        string worker,
        string subject,
        CancellationToken cancellationToken
    )
    {
        var job = await live.StoredAsync(permit.Sub, cancellationToken);
        if (IsRepeated(job, runId, worker, subject))
        {
            return ClaimStatus.Granted;
        }

        return Check(permit, job) is var status and not ClaimStatus.Granted ? status : ClaimStatus.Taken;
    }

    /// <summary>
    /// Others may see the request with permit and claim id. So a repeated claim must also have the principal and the worker instance of the
    /// run; for any other worker the attempt is taken.
    /// </summary>
    private static bool IsRepeated(Job job, Guid runId, string worker, string subject) =>
        job.State == JobState.Running && job.RunId == runId && job.ClaimedBy == subject && job.Worker == worker;

    private ClaimStatus Check(PermitClaims permit, Job job)
    {
        if (job.State == JobState.Cancelled || (job.Attempt == permit.Att && job.CancelRequested))
        {
            return ClaimStatus.Cancelled;
        }

        if (job.Attempt != permit.Att || job.State is not (JobState.Dispatched or JobState.Running))
        {
            return ClaimStatus.Fenced;
        }

        if (job.State == JobState.Running)
        {
            return ClaimStatus.Taken;
        }

        return job.StartBy < clock.Now ? ClaimStatus.Expired : ClaimStatus.Granted;
    }

    private Move Claimed(Job job, PermitClaims permit, Guid runId, string worker, string subject)
    {
        var after = Running(job, runId, worker, subject, clock.Now);
        return new Move(job, after)
        {
            Entry = DispatchEntries.Claimed(after, permit.Jti),
            Claims = new ClaimedPermit(permit.Jti, permit.Bh),
        };
    }

    private ClaimStatus Forged(PermitClaims permit, string subject)
    {
        Log.PermitForged(logger, permit.Jti, permit.Sub, permit.Att, subject);
        return ClaimStatus.Invalid;
    }

    /// <summary>The job while the attempt runs: the time limits of the run and of all attempts start now.</summary>
    internal static Job Running(Job job, Guid runId, string worker, string subject, long now)
    {
        var runUntil = now + job.RunLimitUs!.Value;
        return job with
        {
            State = JobState.Running,
            RunId = runId,
            Worker = worker,
            ClaimedBy = subject,
            RunUntil = runUntil,
            OverallDeadline = job.OverallDeadline + Math.Max(0, now - job.ReadyAt),
            DueAt = Math.Min(now + (Leases.Heartbeats * job.HeartbeatUs!.Value), runUntil + Timestamps.Micros(Leases.ReportGrace)),
        };
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.PermitForged,
            LogLevel.Error,
            "Refused permit {PermitId} for job {JobId}, attempt {Attempt}, from {Subject}: it is signed with a permit key, and the entry "
                + "of the dispatch names another permit or work message. Find out who can read the table permit_keys"
        )]
        public static partial void PermitForged(ILogger logger, Guid permitId, Guid jobId, int attempt, string subject);
    }
}
