using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Recovery;

/// <summary>
/// Repairs every job that is due, because a message or a process failed to move it in time. A due job is returned to its backlog,
/// fenced or ended. The sweep also signals every pool that has jobs ready.
/// </summary>
internal sealed partial class Sweep(
    IStore store,
    IDbContextFactory<DispatcherDb> database,
    MoveWriter moves,
    ApprovedJobs approved,
    PoolBacklog backlog,
    DispatchSignals signals,
    CurrentBundle current,
    StoreClock clock,
    JobMetrics metrics,
    TimeProvider time,
    ILogger<Sweep> logger
) : Loop(TimeSpan.FromMilliseconds(500), time, logger)
{
    private const int BatchSize = 250;

    /// <summary>A job that this process takes and then does not repair is due again after this time.</summary>
    private static readonly TimeSpan Postpone = TimeSpan.FromSeconds(15);

    // :: Step 9
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        while (await SweepOnceAsync(cancellationToken) == BatchSize) { }

        await approved.ReevaluateAsync(cancellationToken);
        signals.Signal(await backlog.ReadyAsync(cancellationToken));
    }

    /// <summary>Repairs one batch of due jobs; returns the number of jobs taken.</summary>
    public async Task<int> SweepOnceAsync(CancellationToken cancellationToken)
    {
        await clock.TrustedAsync(cancellationToken);
        var due = await store.TakeDueAsync(BatchSize, Postpone, cancellationToken);
        var context = new RecoveryContext(current.InForce.Bundle, clock.Now, Time);
        var useBy = await UseByAsync(due, cancellationToken);
        var repairs = due.Select(job => TryRepair(job, context, useBy.GetValueOrDefault(job.JobId))).OfType<Move>().ToList();
        await Task.WhenAll(repairs.Select(move => MoveAsync(move, cancellationToken)));
        return due.Count;
    }

    private async Task MoveAsync(Move move, CancellationToken cancellationToken)
    {
        var isRepair = move.Before.State != move.After.State;
        if (isRepair)
        {
            Log.Repaired(logger, move.Before.JobId, move.Before.State, move.After.State, move.Before.Attempt);
        }

        if (await moves.AddAsync(move, cancellationToken) == MoveResult.Moved && isRepair)
        {
            metrics.Repaired(move.Entry!.Kind, 1);
        }
    }

    /// <summary>The move that repairs a due job. Null: the sweep checks it again later.</summary>
    /// <param name="job">The job.</param>
    /// <param name="context">The bundle and the time of the decision.</param>
    /// <param name="useBy">When its approval expires. Null: it has none.</param>
    internal static Move? Repair(Job job, RecoveryContext context, long? useBy = null) =>
        job.State switch
        {
            JobState.Accepted or JobState.Approved or JobState.Retrying when job.NotAfter <= context.Now => JobEnds.Expired(job),
            JobState.Approved when useBy < context.Now => JobEnds.Ended(
                job,
                JobState.Expired,
                TimelineKinds.Expired,
                "its approval was not used in time"
            ),
            JobState.Accepted or JobState.Approved or JobState.Retrying => RecoveryMoves.Postponed(job, useBy),
            JobState.Held => JobEnds.Ended(job, JobState.Expired, TimelineKinds.Expired, "it was not approved in time"),
            JobState.Dispatched => RecoveryMoves.Unclaimed(job, context),
            JobState.Running when context.Bundle is not null => RecoveryMoves.Lost(job, context),

            // Without a readable bundle it is not known whether the topic may be repeated.
            JobState.Running => null,
            JobState.Succeeded
            or JobState.Quarantined
            or JobState.DeadLettered
            or JobState.Denied
            or JobState.Rejected
            or JobState.Expired
            or JobState.Cancelled => null,
        };

    /// <summary>An exception here is a bug of the dispatcher, and must not prevent the repair of the other jobs.</summary>
    private Move? TryRepair(Job job, RecoveryContext context, long? useBy)
    {
        try
        {
            return Repair(job, context, useBy);
        }
#pragma warning disable CA1031 // The exception concerns only this job.
        catch (Exception bug)
#pragma warning restore CA1031
        {
            Log.NotRepaired(logger, job.JobId, job.State, bug);
            return null;
        }
    }

    /// <summary>When the approvals of the due jobs expire, by job id. Jobs without an approval are left out.</summary>
    private async Task<IReadOnlyDictionary<Guid, long?>> UseByAsync(IReadOnlyList<Job> due, CancellationToken cancellationToken)
    {
        var ids = due.Where(job => job.State == JobState.Approved).Select(job => Approval.IdOf(job.JobId, job.ApprovalRound)).ToList();
        if (ids.Count == 0)
        {
            return new Dictionary<Guid, long?>();
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db
            .Approvals.Where(approval => ids.Contains(approval.CorrelationId))
            .Select(approval => new { approval.JobId, approval.UseBy })
            .ToDictionaryAsync(approval => approval.JobId, approval => approval.UseBy, cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.SweepFailed,
            LogLevel.Error,
            "Failed to repair job {JobId}, which is due in state {State}; the sweep tries again in 15 s"
        )]
        public static partial void NotRepaired(ILogger logger, Guid jobId, JobState state, Exception bug);

        [LoggerMessage(
            EventIds.SweepRepaired,
            LogLevel.Information,
            "Job {JobId} was due in state {From}, attempt {Attempt}; the sweep moves it to {To}"
        )]
        public static partial void Repaired(ILogger logger, Guid jobId, JobState from, JobState to, int attempt);
    }
}
