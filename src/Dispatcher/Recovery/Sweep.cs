using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Recovery;

/// <summary>Whatever is due and still there was forgotten by a message or a process. Looks at it, and returns it, fences it or ends it; and signals the line of every pool.</summary>
internal sealed partial class Sweep(
    IStore store,
    IDbContextFactory<DispatcherDb> database,
    MoveWriter moves,
    ApprovedJobs approved,
    PoolBacklog lines,
    DispatchSignals signals,
    CurrentBundle current,
    StoreClock clock,
    TimeProvider time,
    ILogger<Sweep> logger
) : Loop(TimeSpan.FromMilliseconds(500), time, logger)
{
    private const int Batch = 250;

    /// <summary>What this process takes and then does not get done is due again after this long.</summary>
    private static readonly TimeSpan Postpone = TimeSpan.FromSeconds(15);

    // :: Step 9
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        while (await SweepOnceAsync(cancellationToken) == Batch) { }

        await approved.ReevaluateAsync(cancellationToken);
        signals.Signal(await lines.ReadyAsync(cancellationToken));
    }

    /// <summary>Repairs one batch of what is due; answers how many it took.</summary>
    public async Task<int> SweepOnceAsync(CancellationToken cancellationToken)
    {
        await clock.TrustedAsync(cancellationToken);
        var due = await store.TakeDueAsync(Batch, Postpone, cancellationToken);
        var around = new RecoveryContext(current.InForce.Bundle, clock.Now, Time);
        var usable = await UsableAsync(due, cancellationToken);
        var repairs = due.Select(job => TryRepair(job, around, usable.GetValueOrDefault(job.JobId))).OfType<Move>().ToList();
        foreach (var move in repairs.Where(move => move.Before.State != move.After.State))
        {
            Log.Repaired(logger, move.Before.JobId, move.Before.State, move.After.State, move.Before.Attempt);
        }

        await Task.WhenAll(repairs.Select(move => moves.AddAsync(move, cancellationToken)));
        return due.Count;
    }

    /// <summary>The move that repairs a job whose time has come. Null: it is only looked at again later.</summary>
    /// <param name="job">The job.</param>
    /// <param name="around">What the decision may look at.</param>
    /// <param name="useBy">Until when its approval can be used. Null: it has none.</param>
    internal static Move? Repair(Job job, RecoveryContext around, long? useBy = null) =>
        job.State switch
        {
            JobState.Accepted or JobState.Approved or JobState.Retrying when job.NotAfter <= around.Now => JobEnds.Expired(job),
            JobState.Approved when useBy < around.Now => JobEnds.Ended(
                job,
                JobState.Expired,
                TimelineKinds.Expired,
                "its approval was not used in time"
            ),
            JobState.Accepted or JobState.Approved or JobState.Retrying => RecoveryMoves.Waiting(job, useBy),
            JobState.Held => JobEnds.Ended(job, JobState.Expired, TimelineKinds.Expired, "nobody approved it in time"),
            JobState.Dispatched => RecoveryMoves.Unclaimed(job, around),
            JobState.Running when around.Bundle is not null => RecoveryMoves.OfLost(job, around),

            // Without a bundle that can be read nobody knows what its topic allows.
            JobState.Running => null,
            JobState.Succeeded
            or JobState.Quarantined
            or JobState.DeadLettered
            or JobState.Denied
            or JobState.Rejected
            or JobState.Expired
            or JobState.Cancelled => null,
        };

    /// <summary>A job that cannot be repaired is a mistake of ours, and must not keep the others from it.</summary>
    private Move? TryRepair(Job job, RecoveryContext around, long? useBy)
    {
        try
        {
            return Repair(job, around, useBy);
        }
#pragma warning disable CA1031 // Whatever it is, it is this job's.
        catch (Exception mistake)
#pragma warning restore CA1031
        {
            Log.NotRepaired(logger, job.JobId, job.State, mistake);
            return null;
        }
    }

    /// <summary>Until when the approvals of those that have one can be used.</summary>
    private async Task<IReadOnlyDictionary<Guid, long?>> UsableAsync(IReadOnlyList<Job> due, CancellationToken cancellationToken)
    {
        var ids = due.Where(job => job.State == JobState.Approved).Select(job => Approval.IdOf(job.JobId, job.ApprovalRound)).ToList();
        if (ids.Count == 0)
        {
            return new Dictionary<Guid, long?>();
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db
            .Approvals.Where(approval => ids.Contains(approval.CorrelationId))
            .ToDictionaryAsync(approval => approval.JobId, approval => approval.UseBy, cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.SweepFailed,
            LogLevel.Error,
            "Job {JobId} is due in state {State}, and cannot be repaired; it is looked at again"
        )]
        public static partial void NotRepaired(ILogger logger, Guid jobId, JobState state, Exception mistake);

        [LoggerMessage(
            EventIds.SweepRepaired,
            LogLevel.Information,
            "Job {JobId} was due in state {From}, attempt {Attempt}: it goes to {To}"
        )]
        public static partial void Repaired(ILogger logger, Guid jobId, JobState from, JobState to, int attempt);
    }
}
