using System.Collections.Concurrent;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Dispatching;

/// <summary>
/// How much more work a pool may be given: as much as its live workers can begin, and as much as they soon will, so that no place is empty. What is beyond that waits in
/// line, where no permit expires and no attempt is spent. A pool whose attempts come to nothing gets less, down to one probe.
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
    private readonly ConcurrentDictionary<string, int> _sizes = new(StringComparer.Ordinal);

    public async Task<FreeSlots> FreeSlotsAsync(string pool, CancellationToken cancellationToken)
    {
        var load = await LoadAsync(pool, cancellationToken);
        _sizes[pool] = Math.Max(load.Capacity, load.UnderWay);
        var longest = Breaker(pool).LongestRun;

        // One that runs now has taken at least so long already. As long as none has ended, nothing is known.
        return new FreeSlots(
            load,
            options.Value.WindowMultiple,
            longest is null ? null : PoolCircuitBreaker.Longer(longest, load.OldestRun),
            Breaker(pool).Room(load.UnderWay)
        );
    }

    /// <summary>As many as could go, had all of them the longest time to start that the pool's topics give.</summary>
    public int MaxJobs(string pool, FreeSlots room) =>
        room.For(
            current
                .InForce.Bundle?.JobClasses.Values.Where(jobClass => jobClass.Pool == pool)
                .Select(jobClass => jobClass.StartWithin)
                .DefaultIfEmpty(TimeSpan.Zero)
                .Max()
                ?? TimeSpan.Zero
        );

    /// <summary>
    /// Who of the next in line goes. Before a job is called lost for good, its last attempt runs with no other beside it: of those that shared a worker with one that kills it,
    /// only that one then dies.
    /// </summary>
    public IReadOnlyList<Job> Next(IReadOnlyList<Job> line, FreeSlots room) =>
        NextOf(
            line,
            room,
            job => IsSuspect(job.Topic, job.FaultClass, job.FailedAttempts),
            job => ClassOf(job.Topic)?.StartWithin ?? TimeSpan.Zero
        );

    /// <summary>Whether a job stands in the right line. One whose topic went to another pool is sorted there soon, and must not pass that one's window by this.</summary>
    public bool IsOfPool(string pool, Job job) => (ClassOf(job.Topic)?.Pool ?? PoolBacklog.Unregistered) == pool;

    /// <summary>Pure: what <see cref="Next"/> answers.</summary>
    internal static IReadOnlyList<Job> NextOf(
        IReadOnlyList<Job> line,
        FreeSlots room,
        Func<Job, bool> runsAlone,
        Func<Job, TimeSpan> startWithin
    )
    {
        var before = line.TakeWhile((job, ahead) => !runsAlone(job) && ahead < room.For(startWithin(job))).ToList();
        return before.Count == 0 && room.Load.UnderWay == 0 && room.For(TimeSpan.Zero) > 0 ? [.. line.Take(1)] : before;
    }

    /// <summary>What a pool has, and what is under way.</summary>
    public async Task<PoolLoad> LoadAsync(string pool, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var live = await db.Workers.Where(worker => worker.Pool == pool).NotStale(clock.Now).WithoutLists().ToListAsync(cancellationToken);
        var workers = live.Where(worker => worker.Serves(clock.Now)).ToList();
        var names = workers.Select(worker => (worker.Principal, worker.Instance)).ToHashSet();
        var underWay = await db
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

        // A run whose worker is gone takes no place of those that are there.
        var unclaimed = underWay.Where(group => group.Key.State == JobState.Dispatched).ToList();
        var running = underWay
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

    /// <summary>Records how attempts ended, for the circuit breakers of their pools.</summary>
    public void Committed(IReadOnlyList<Move> moves)
    {
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

    /// <summary>How many may be under way in a pool whose attempts come to nothing. Null: it is not limited.</summary>
    public int? LimitOf(string pool) => Breaker(pool).Limit;

    /// <summary>
    /// Whether the end of an attempt indicates a problem of what the pool calls. Transient faults, timeouts and lost workers do. A terminal
    /// fault belongs to its job. An unknown fault usually comes from the producer's input and must not slow the jobs of others. A stopped
    /// worker indicates no problem.
    /// These
    /// say nothing: null.
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

    private bool IsSuspect(string topic, string? faultClass, int spent) =>
        faultClass == FaultClasses.Lost && spent + 1 >= ClassOf(topic)?.MaxAttempts;

    private JobClass? ClassOf(string topic) => current.InForce.Bundle?.JobClasses.GetValueOrDefault(topic);

    private PoolCircuitBreaker Breaker(string pool) => _breakers.GetOrAdd(pool, _ => new PoolCircuitBreaker(options.Value, time));
}

/// <summary>What a pool has, and what is under way.</summary>
/// <param name="Workers">Live instances.</param>
/// <param name="Capacity">How many runs they can have at once.</param>
/// <param name="Unclaimed">Attempts that are dispatched and that nobody has claimed yet.</param>
/// <param name="Running">Runs of the live instances.</param>
internal sealed record PoolLoad(int Workers, int Capacity, int Unclaimed, int Running)
{
    public int UnderWay => Unclaimed + Running;

    /// <summary>
    /// Why an instance that is there, and not among <see cref="Workers"/>, can use none of its deliveries. Null: there is none such.
    /// </summary>
    public string? Dropping { get; init; }

    /// <summary>One is under way that runs alone.</summary>
    public bool HasSuspect { get; init; }

    /// <summary>For how long the oldest of the runs has been running. Null: there is none.</summary>
    public TimeSpan? OldestRun { get; init; }
}

/// <summary>How much room a pool has.</summary>
/// <param name="Load">What it has, and what is under way.</param>
/// <param name="Multiple">So many times its capacity may be unclaimed at most.</param>
/// <param name="LongestRun">The longest run of late. Null: not known.</param>
/// <param name="Limit">So many more may go at most, as the breaker says.</param>
internal sealed record FreeSlots(PoolLoad Load, int Multiple, TimeSpan? LongestRun, int Limit)
{
    private static readonly TimeSpan ShortestRun = TimeSpan.FromMilliseconds(1);

    public static FreeSlots Of(int places) => new(new PoolLoad(0, places, 0, 0), 1, null, places);

    /// <summary>
    /// How many more may go that must start within a time: those that find a free place, and as many as would be claimed in half that time, though each run before them took as
    /// long as the longest of late.
    /// </summary>
    public int For(TimeSpan startWithin)
    {
        var runs = LongestRun is { } longest
            ? (int)Math.Min(Multiple, startWithin / 2 / (longest > ShortestRun ? longest : ShortestRun))
            : 0;
        var free = Load.Capacity - Load.UnderWay;
        return Load.HasSuspect
            ? 0
            : Math.Clamp(Math.Min(free + (runs * Load.Capacity), (Multiple * Load.Capacity) - Load.Unclaimed), 0, Limit);
    }
}
