using System.Linq.Expressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>The jobs that wait for their turn: one line for each pool, ordered by <see cref="Job.ReadyAt"/>.</summary>
internal sealed class PoolBacklog(IDbContextFactory<DispatcherDb> database, CurrentBundle current, StoreClock clock)
{
    /// <summary>The line of jobs whose topic is not in the registry any more. Nothing holds it up: the policy denies them.</summary>
    public const string Unregistered = "";

    /// <summary>Who stands in a line, ready or not.</summary>
    public static readonly Expression<Func<Job, bool>> Waits = job =>
        job.State == JobState.Accepted || job.State == JobState.Approved || job.State == JobState.Retrying;

    private static readonly Expression<Func<Job, bool>> WaitsOrIsHeld = job =>
        job.State == JobState.Accepted || job.State == JobState.Approved || job.State == JobState.Retrying || job.State == JobState.Held;

    /// <summary>As far as the clocks of two processes may be apart and whoever was made ready by one is still ready for the other.</summary>
    private static readonly long ClockSkew = Timestamps.Micros(TimeSpan.FromMilliseconds(20));

    /// <summary>What was under way while another bundle came into force may come back to a line that nobody looks at.</summary>
    private static readonly long Minute = Timestamps.Micros(TimeSpan.FromMinutes(1));

    /// <summary>Payload bytes that one turn holds in memory, apart from the work messages that they become.</summary>
    private const long MostBytes = 4 * 1024 * 1024;

    /// <summary>A statement that takes this many ends within its time limit.</summary>
    private const int SortAtOnce = 10_000;

    private long _sortedFor = -1;
    private long _sortAgainAt;

    /// <summary>The pools that can have a backlog: those of the bundle in force, and <see cref="Unregistered"/>.</summary>
    public IReadOnlySet<string> Known => (current.InForce.Bundle?.Pools.Keys ?? []).Append(Unregistered).ToHashSet(StringComparer.Ordinal);

    /// <summary>The pools in whose line somebody could go, were there room. Jobs stand in the right lines then.</summary>
    public async Task<IReadOnlyList<string>> ReadyAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        if (current.InForce is { Bundle: { } bundle, Serial: var serial } && (serial != _sortedFor || clock.Now > _sortAgainAt))
        {
            await SortAsync(db, topic => bundle.JobClasses.GetValueOrDefault(topic)?.Pool ?? Unregistered, cancellationToken);
            (_sortedFor, _sortAgainAt) = (serial, clock.Now + Minute);
        }

        var ready = new List<string>();
        foreach (var pool in Known)
        {
            if (await AnyAsync(Ready(db, pool), cancellationToken))
            {
                ready.Add(pool);
            }
        }

        return ready;
    }

    /// <summary>Whether somebody of a pool's line could go, were there room.</summary>
    public async Task<bool> IsReadyAsync(string pool, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await AnyAsync(Ready(db, pool), cancellationToken);
    }

    /// <summary>
    /// The next of a pool's line, in order: at least one, and no more than have <see cref="MostBytes"/> of payload together.
    /// </summary>
    public async Task<NextJobs> NextAsync(string pool, int most, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var sizes = await Ready(db, pool)
            .OrderBy(job => job.ReadyAt)
            .ThenBy(job => job.JobId)
            .Take(most)
            .Select(job => new { job.JobId, Bytes = job.Payload.Length })
            .ToListAsync(cancellationToken);
        var bytes = 0L;
        var fitting = sizes.TakeWhile((job, i) => (bytes += job.Bytes) <= MostBytes || i == 0).Select(job => job.JobId).ToList();
        var jobs =
            fitting.Count == 0
                ? []
                : await Ready(db, pool)
                    .AsNoTracking()
                    .Where(job => fitting.Contains(job.JobId))
                    .OrderBy(job => job.ReadyAt)
                    .ThenBy(job => job.JobId)
                    .ToListAsync(cancellationToken);
        return new NextJobs(jobs, sizes.Count == most || fitting.Count < sizes.Count);
    }

    /// <summary>Asks for the first, in order, not for any: only the line's own index has the order, and any could be looked for among all jobs that ever were.</summary>
    private static async Task<bool> AnyAsync(IQueryable<Job> ready, CancellationToken cancellationToken) =>
        await ready.OrderBy(job => job.ReadyAt).Select(job => (Guid?)job.JobId).FirstOrDefaultAsync(cancellationToken) is not null;

    private IQueryable<Job> Ready(DispatcherDb db, string pool)
    {
        var now = clock.Now + ClockSkew;
        return db.Jobs.Where(Waits).Where(job => job.Pool == pool && job.ReadyAt <= now);
    }

    /// <summary>Another bundle may give a topic to another pool. The version stays: where a job waits is not what anybody decides on.</summary>
    private static async Task SortAsync(DispatcherDb db, Func<string, string> poolOf, CancellationToken cancellationToken)
    {
        var waiting = db.Jobs.Where(WaitsOrIsHeld);
        foreach (var line in await waiting.Select(job => new { job.Topic, job.Pool }).Distinct().ToListAsync(cancellationToken))
        {
            var right = poolOf(line.Topic);
            if (line.Pool != right)
            {
                var some = waiting.Where(job => job.Topic == line.Topic && job.Pool == line.Pool).Take(SortAtOnce);
                while (await some.ExecuteUpdateAsync(set => set.SetProperty(job => job.Pool, right), cancellationToken) == SortAtOnce) { }
            }
        }
    }
}

/// <summary>The next jobs of a line.</summary>
/// <param name="Jobs">In order.</param>
/// <param name="MayBeMore">Others may stand behind them.</param>
internal sealed record NextJobs(IReadOnlyList<Job> Jobs, bool MayBeMore);
