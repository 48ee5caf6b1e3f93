using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Hosting;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Recovering;
using Dispatcher.Storing;
using Dispatcher.Timelines;

namespace Dispatcher.Sweeping;

/// <summary>Step 9: whatever is due and still there was forgotten by a message or a process. Looks at it, and sends it on, returns it, fences it or ends it.</summary>
internal sealed partial class Sweep(IStore store, MoveWriter moves, CurrentBundle current, StoreClock clock, TimeProvider time, ILogger<Sweep> logger)
    : Loop(TimeSpan.FromMilliseconds(500), time, logger)
{
    private const int Batch = 250;

    /// <summary>What this process takes and then does not get done is due again after this long.</summary>
    private static readonly TimeSpan Postpone = TimeSpan.FromSeconds(15);

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        while (await SweepOnceAsync(cancellationToken) == Batch)
        {
        }
    }

    /// <summary>Repairs one batch of what is due; answers how many it took.</summary>
    public async Task<int> SweepOnceAsync(CancellationToken cancellationToken)
    {
        await clock.TrustedAsync(cancellationToken);
        var due = await store.TakeDueAsync(Batch, Postpone, cancellationToken);
        var around = new Surroundings(current.InForce.Bundle, clock.Now, Time);
        var waiting = due.Where(job => JobDispatch.IsWaiting(job) && !IsOver(job, around.Now)).ToList();
        if (waiting.Count > 0)
        {
            await store.RecordAsync([], [DispatchBatch.Message(waiting, Time)], cancellationToken);
        }

        var repairs = due.Except(waiting).Select(job => Repair(job, around)).OfType<Move>().ToList();
        repairs.ForEach(move => Log.Repaired(logger, move.Before.JobId, move.Before.State, move.After.State, move.Before.Attempt));
        await Task.WhenAll(repairs.Select(move => moves.AddAsync(move, cancellationToken)));
        return due.Count;
    }

    /// <summary>The move that repairs a job whose time has come. Null: it is only looked at again later.</summary>
    internal static Move? Repair(Job job, Surroundings around) => job.State switch
    {
        JobState.Accepted or JobState.Approved or JobState.Retrying =>
            IsOver(job, around.Now) ? Recovery.Expired(job) : null,
        JobState.Held => Recovery.Ended(job, JobState.Expired, TimelineKinds.Expired, "nobody approved it in time"),
        JobState.Dispatched => Recovery.Again(job, around, TimelineKinds.Unclaimed, $"no worker of pool {job.Pool} claimed the attempt in time"),
        JobState.Running => Recovery.OfLost(job, around),
        JobState.Succeeded or JobState.Quarantined or JobState.DeadLettered or JobState.Denied or JobState.Rejected or JobState.Expired or JobState.Cancelled => null,
    };

    private static bool IsOver(Job job, long now) => job.NotAfter <= now;

    private static partial class Log
    {
        [LoggerMessage(EventIds.SweepRepaired, LogLevel.Information, "Job {JobId} was due in state {From}, attempt {Attempt}: it goes to {To}")]
        public static partial void Repaired(ILogger logger, Guid jobId, JobState from, JobState to, int attempt);
    }
}
