using System.Collections.Concurrent;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Dispatching;

/// <summary>
/// How many more jobs a pool may get: as many as its live workers can start now and soon, so that no slot is empty. Further jobs stay in
/// the backlog, where no permit expires and no attempt fails. A pool whose attempts fail gets fewer, down to one probe.
/// </summary>
internal sealed class PoolCapacity(
    IDbContextFactory<DispatcherDb> database,
    CurrentBundle current,
    StoreClock clock,
    TimeProvider time,
    IOptions<DispatchOptions> options
) : IMoveSubscriber
{
    private readonly ConcurrentDictionary<string, PoolCircuitBreaker> _breakers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ClaimRate> _claims = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _sizes = new(StringComparer.Ordinal);

    public async Task<FreeSlots> FreeSlotsAsync(string pool, CancellationToken cancellationToken)
    {
        var load = await LoadAsync(pool, cancellationToken);
        _sizes[pool] = Math.Max(load.Capacity, load.InProgress);
        var longest = Breaker(pool).LongestRun;

        // A running attempt counts with its time so far. Without an ended run the duration is unknown.
        return new FreeSlots(
            load,
            options.Value.WindowMultiple,
            longest is null ? null : PoolCircuitBreaker.Longer(longest, load.OldestRun),
            Breaker(pool).FreeSlots(load.InProgress)
        )
        {
            ClaimsPerSecond = Claims(pool).PerSecond,
        };
    }

    /// <summary>The number of jobs that fit if all have the longest time to start of the pool's topics.</summary>
    public int MaxJobs(string pool, FreeSlots slots) =>
        slots.StartableWithin(
            current
                .InForce.Bundle?.JobClasses.Values.Where(jobClass => jobClass.Pool == pool)
                .Select(jobClass => jobClass.StartWithin)
                .DefaultIfEmpty(TimeSpan.Zero)
                .Max()
                ?? TimeSpan.Zero
        );

    /// <summary>
    /// Selects the jobs to dispatch. The last attempt of a job whose earlier attempts lost their worker runs alone. So a job that kills its
    /// worker cannot use up the attempts of the jobs beside it.
    /// </summary>
    public IReadOnlyList<Job> Next(IReadOnlyList<Job> jobs, FreeSlots slots) =>
        NextOf(
            jobs,
            slots,
            job => IsSuspect(job.Topic, job.FaultClass, job.FailedAttempts),
            job => ClassOf(job.Topic)?.StartWithin ?? TimeSpan.Zero
        );

    /// <summary>
    /// Whether the topic of a job still belongs to the pool. If not, the job is moved to the other backlog soon, and must take no slot
    /// here.
    /// </summary>
    public bool IsOfPool(string pool, Job job) => (ClassOf(job.Topic)?.Pool ?? PoolBacklog.Unregistered) == pool;

    /// <summary>The selection of <see cref="Next"/>, without state.</summary>
    internal static IReadOnlyList<Job> NextOf(
        IReadOnlyList<Job> jobs,
        FreeSlots slots,
        Func<Job, bool> runsAlone,
        Func<Job, TimeSpan> startWithin
    )
    {
        var before = jobs.TakeWhile((job, ahead) => !runsAlone(job) && ahead < slots.StartableWithin(startWithin(job))).ToList();
        return before.Count == 0 && slots.Load.InProgress == 0 && slots.StartableWithin(TimeSpan.Zero) > 0 ? [.. jobs.Take(1)] : before;
    }

    /// <summary>The workers of a pool and its attempts in progress. Reads no payload.</summary>
    public async Task<PoolLoad> LoadAsync(string pool, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var live = await db.Workers.Where(worker => worker.Pool == pool).NotStale(clock.Now).WithoutLists().ToListAsync(cancellationToken);
        var workers = live.Where(worker => worker.Serves(clock.Now)).ToList();
        var names = workers.Select(worker => (worker.Principal, worker.Instance)).ToHashSet();
        var inProgress = await db
            .Jobs.Where(job => job.Pool == pool && (job.State == JobState.Dispatched || job.State == JobState.Running))
            .GroupBy(job => new
            {
                job.State,
                job.Worker,
                job.ClaimedBy,
                IsLost = job.FaultClass == FaultClasses.Lost ? job.Topic : null,
                FailedAttempts = job.FaultClass == FaultClasses.Lost ? job.FailedAttempts : 0,
            })
            .Select(group => new
            {
                group.Key,
                Count = group.Count(),
                OldestAt = group.Min(job => job.RunUntil - job.RunLimitUs),
            })
            .ToListAsync(cancellationToken);

        // A run whose worker is gone takes no slot of a live worker.
        var unclaimed = inProgress.Where(group => group.Key.State == JobState.Dispatched).ToList();
        var running = inProgress
            .Where(group => group.Key.State == JobState.Running && names.Contains((group.Key.ClaimedBy!, group.Key.Worker!)))
            .ToList();
        return new PoolLoad(
            workers.Count,
            WorkerRegister.Capacity(workers),
            unclaimed.Sum(group => group.Count),
            running.Sum(group => group.Count)
        )
        {
            Dropping = live.FirstOrDefault(worker => worker.Dropping is not null)?.Dropping,
            HasSuspect = unclaimed
                .Concat(running)
                .Any(group => group.Key.IsLost is { } topic && IsSuspect(topic, FaultClasses.Lost, group.Key.FailedAttempts)),
            OldestRun = running.Min(group => group.OldestAt) is { } claimedAt
                ? TimeSpan.FromMicroseconds(Math.Max(0, clock.Now - claimedAt))
                : null,
        };
    }

    /// <summary>Counts claims, and records how attempts ended for the circuit breakers of their pools.</summary>
    public void Committed(IReadOnlyList<Move> moves)
    {
        foreach (var claimed in moves.Where(move => move.Claims is not null).CountBy(move => move.After.Pool!))
        {
            Claims(claimed.Key).Add(claimed.Value);
        }

        foreach (var move in moves.Where(move => move.Before.State == JobState.Running && move.Before.State != move.After.State))
        {
            Ended(move);
        }
    }

    internal void Ended(Move move)
    {
        var (before, after) = (move.Before, move.After);
        var claimedAt = before.RunUntil - before.RunLimitUs ?? clock.Now;
        if (after.State == JobState.Succeeded || move.IsFailedAttempt)
        {
            Breaker(before.Pool!)
                .Ended(IsBad(after), TimeSpan.FromMicroseconds(Math.Max(0, clock.Now - claimedAt)), _sizes.GetValueOrDefault(before.Pool!));
        }
    }

    /// <summary>Maximum number of attempts in progress while the circuit breaker of the pool is open. Null: it is closed.</summary>
    public int? LimitOf(string pool) => Breaker(pool).Limit;

    /// <summary>
    /// Whether the end of an attempt indicates a problem of the systems that the pool's handlers call. Transient faults, timeouts and lost
    /// workers do. A terminal fault belongs to its job. An unknown fault usually comes from the producer's input and must not slow the jobs
    /// of others. A stopped worker indicates no problem. Null: the end indicates neither.
    /// </summary>
    internal static bool? IsBad(Job after) =>
        after.State == JobState.Succeeded
            ? false
            : after switch
            {
                { Fault.Code: FaultCodes.WorkerStopping } => null,
                { FaultClass: FaultClasses.Transient or FaultClasses.Timeout or FaultClasses.Lost }
                or { Fault.Code: FaultCodes.WorkerLost } => true,
                _ => null,
            };

    private bool IsSuspect(string topic, string? faultClass, int failedAttempts) =>
        faultClass == FaultClasses.Lost && failedAttempts + 1 >= ClassOf(topic)?.MaxAttempts;

    private JobClass? ClassOf(string topic) => current.InForce.Bundle?.JobClasses.GetValueOrDefault(topic);

    private ClaimRate Claims(string pool) => _claims.GetOrAdd(pool, _ => new ClaimRate(time));

    private PoolCircuitBreaker Breaker(string pool) => _breakers.GetOrAdd(pool, _ => new PoolCircuitBreaker(options.Value, time));
}

/// <summary>The workers of a pool and its attempts in progress.</summary>
/// <param name="Workers">Live instances.</param>
/// <param name="Capacity">How many runs they can have at once.</param>
/// <param name="Unclaimed">Attempts that are dispatched and not claimed yet.</param>
/// <param name="Running">Runs of the live instances.</param>
internal sealed record PoolLoad(int Workers, int Capacity, int Unclaimed, int Running)
{
    public int InProgress => Unclaimed + Running;

    /// <summary>
    /// Why a registered instance that is not among <see cref="Workers"/> can use none of its deliveries. Null: there is no such instance.
    /// </summary>
    public string? Dropping { get; init; }

    /// <summary>A job that must run alone is in progress.</summary>
    public bool HasSuspect { get; init; }

    /// <summary>How long the oldest run has been running. Null: there is none.</summary>
    public TimeSpan? OldestRun { get; init; }
}

/// <summary>How many more jobs a pool may get.</summary>
/// <param name="Load">Its workers and its attempts in progress.</param>
/// <param name="Multiple">Maximum number of unclaimed attempts, as a multiple of the capacity.</param>
/// <param name="LongestRun">The longest recent run. Null: not known.</param>
/// <param name="Limit">Maximum number of further attempts, by the circuit breaker.</param>
internal sealed record FreeSlots(PoolLoad Load, int Multiple, TimeSpan? LongestRun, int Limit)
{
    private static readonly TimeSpan ShortestRun = TimeSpan.FromMilliseconds(1);

    /// <summary>
    /// Unclaimed attempts for this time keep the workers of a pool with short runs busy until the next dispatch. More would only be more
    /// attempts that fail before the circuit breaker opens.
    /// </summary>
    private static readonly TimeSpan Ahead = TimeSpan.FromMilliseconds(250);

    /// <summary>Recent claims of the pool through this process. 0: not known.</summary>
    public int ClaimsPerSecond { get; init; }

    public static FreeSlots Of(int count) => new(new PoolLoad(0, count, 0, 0), 1, null, count);

    /// <summary>
    /// How many jobs that must start within a time may be dispatched now: as many as find a free slot, and as many as workers claim in half
    /// that time if each run takes as long as the longest recent one. At most <see cref="Multiple"/> times the capacity is unclaimed, or
    /// the claims of <see cref="Ahead"/> if that is more.
    /// </summary>
    public int StartableWithin(TimeSpan startWithin)
    {
        var rounds = LongestRun is { } longest ? (long)(startWithin / 2 / (longest > ShortestRun ? longest : ShortestRun)) : 0;
        var window = Math.Max(Multiple * Load.Capacity, (long)(ClaimsPerSecond * Ahead.TotalSeconds));
        var free = Load.Capacity - Load.InProgress;
        return Load.HasSuspect
            ? 0
            : (int)Math.Clamp(Math.Min(free + Math.Min(window, rounds * Load.Capacity), window - Load.Unclaimed), 0, Limit);
    }
}
