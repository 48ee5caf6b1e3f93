using System.Collections.Concurrent;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Recovering;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Dispatching;

/// <summary>
/// How much more work a pool may be given: as much as its live workers can begin, and while runs are short some more, so that no place is empty. What is beyond that waits in
/// line, where no permit expires and no attempt is spent. A pool whose attempts come to nothing gets less, down to one probe.
/// </summary>
internal sealed class PoolWindow(IDbContextFactory<DispatcherDb> database, CurrentBundle current, StoreClock clock, TimeProvider time, IOptions<DispatchOptions> options)
{
    private readonly ConcurrentDictionary<string, PoolBreaker> _breakers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _capacities = new(StringComparer.Ordinal);

    public async Task<PoolRoom> RoomAsync(string pool, CancellationToken cancellationToken)
    {
        var load = await LoadAsync(pool, cancellationToken);
        _capacities[pool] = load.Capacity;
        var underWay = load.Unclaimed + load.Running;
        return new PoolRoom(load.HasSuspect ? 0 : RoomOf(load, options.Value.WindowMultiple, RunsAreShort(pool), Breaker(pool).Room(underWay)), underWay == 0);
    }

    /// <summary>
    /// Who of the next in line goes. Before a job is called lost for good, its last attempt runs with no other beside it: of those that shared a worker with one that kills it,
    /// only that one then dies.
    /// </summary>
    public IReadOnlyList<Job> Next(IReadOnlyList<Job> line, PoolRoom room) => NextOf(line, room.IsEmpty, job => IsSuspect(job.Topic, job.FaultClass, job.Spent));

    /// <summary>Pure: what <see cref="Next"/> answers.</summary>
    internal static IReadOnlyList<Job> NextOf(IReadOnlyList<Job> line, bool isEmpty, Func<Job, bool> runsAlone)
    {
        var before = line.TakeWhile(job => !runsAlone(job)).ToList();
        return before.Count > 0 ? before : isEmpty ? [.. line.Take(1)] : [];
    }

    /// <summary>Pure: what <see cref="RoomAsync"/> answers.</summary>
    internal static int RoomOf(PoolLoad load, int multiple, bool runsAreShort, int breakerRoom)
    {
        var most = runsAreShort ? multiple * load.Capacity : Math.Max(0, load.Capacity - load.Running);
        return Math.Min(Math.Max(0, most - load.Unclaimed), breakerRoom);
    }

    /// <summary>What a pool has, and what is under way.</summary>
    public async Task<PoolLoad> LoadAsync(string pool, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var workers = (await db.Workers.AsNoTracking().Where(worker => worker.Pool == pool).ToListAsync(cancellationToken)).Where(worker => worker.Serves(clock.Now)).ToList();
        var names = workers.Select(worker => worker.Instance).ToHashSet(StringComparer.Ordinal);
        var underWay = await db.Jobs.Where(job => job.Pool == pool && (job.State == JobState.Dispatched || job.State == JobState.Running))
            .Select(job => new { job.State, job.Worker, job.Topic, job.FaultClass, job.Spent }).ToListAsync(cancellationToken);
        var live = underWay.Where(job => job.State == JobState.Dispatched || names.Contains(job.Worker!)).ToList();

        // A run whose worker is gone takes no place of those that are there.
        return new PoolLoad(
            workers.Count, workers.Sum(worker => worker.Capacity), live.Count(job => job.State == JobState.Dispatched), live.Count(job => job.State == JobState.Running))
        {
            HasSuspect = live.Exists(job => IsSuspect(job.Topic, job.FaultClass, job.Spent)),
        };
    }

    /// <summary>Notes how an attempt of a job that ran has ended.</summary>
    public void Ended(Job before, Job after)
    {
        var claimedAt = before.RunUntil - before.RunLimitUs ?? clock.Now;
        var bad = after.State is JobState.Retrying or JobState.DeadLettered && after.FaultClass != FaultClasses.Terminal;
        var most = options.Value.WindowMultiple * _capacities.GetValueOrDefault(before.Pool!);
        Breaker(before.Pool!).Ended(bad, TimeSpan.FromMicroseconds(Math.Max(0, clock.Now - claimedAt)), most);
    }

    /// <summary>How many may be under way in a pool whose attempts come to nothing. Null: it is not limited.</summary>
    public int? LimitOf(string pool) => Breaker(pool).Limit;

    /// <summary>Whether what waits for a place within the window is claimed long before its permit ends. Not known: no.</summary>
    private bool RunsAreShort(string pool)
    {
        var start = current.InForce.Bundle?.JobClasses.Values.Where(jobClass => jobClass.Pool == pool).Select(jobClass => jobClass.StartWithin).DefaultIfEmpty(TimeSpan.Zero).Min();
        return Breaker(pool).LongestRun * options.Value.WindowMultiple < start / 2;
    }

    private bool IsSuspect(string topic, string? faultClass, int spent) =>
        faultClass == FaultClasses.Lost && spent + 1 >= current.InForce.Bundle?.JobClasses.GetValueOrDefault(topic)?.MaxAttempts;

    private PoolBreaker Breaker(string pool) => _breakers.GetOrAdd(pool, _ => new PoolBreaker(options.Value, time));
}

/// <summary>What a pool has, and what is under way.</summary>
/// <param name="Workers">Live instances.</param>
/// <param name="Capacity">How many runs they can have at once.</param>
/// <param name="Unclaimed">Attempts that are dispatched and that nobody has claimed yet.</param>
/// <param name="Running">Runs of the live instances.</param>
internal sealed record PoolLoad(int Workers, int Capacity, int Unclaimed, int Running)
{
    /// <summary>One is under way that runs alone.</summary>
    public bool HasSuspect { get; init; }
}

/// <summary>How many more may go, and whether none is under way.</summary>
internal readonly record struct PoolRoom(int Places, bool IsEmpty)
{
    public static PoolRoom Of(int places) => new(places, true);
}
