using System.Linq.Expressions;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>The jobs that wait for their turn: one line for each pool, ordered by <see cref="Job.ReadyAt"/>.</summary>
internal sealed class PoolLines(IDbContextFactory<DispatcherDb> database, CurrentBundle current, StoreClock clock)
{
    /// <summary>The line of jobs whose topic is not in the registry any more. Nothing holds it up: the policy denies them.</summary>
    public const string Unregistered = "";

    /// <summary>Who stands in a line, ready or not.</summary>
    public static readonly Expression<Func<Job, bool>> Waits = job => job.State == JobState.Accepted || job.State == JobState.Approved || job.State == JobState.Retrying;

    private static readonly Expression<Func<Job, bool>> WaitsOrIsHeld =
        job => job.State == JobState.Accepted || job.State == JobState.Approved || job.State == JobState.Retrying || job.State == JobState.Held;

    /// <summary>As far as the clocks of two processes may be apart and whoever was made ready by one is still ready for the other.</summary>
    private static readonly long ClockSkew = Timestamps.Micros(TimeSpan.FromMilliseconds(20));

    /// <summary>What was under way while another bundle came into force may come back to a line that nobody looks at.</summary>
    private static readonly long Minute = Timestamps.Micros(TimeSpan.FromMinutes(1));

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

    /// <summary>The next of a pool's line, in order.</summary>
    public async Task<IReadOnlyList<Job>> NextAsync(string pool, int most, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await Ready(db, pool).AsNoTracking().OrderBy(job => job.ReadyAt).ThenBy(job => job.JobId).Take(most).ToListAsync(cancellationToken);
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
                while (await some.ExecuteUpdateAsync(set => set.SetProperty(job => job.Pool, right), cancellationToken) == SortAtOnce)
                {
                }
            }
        }
    }
}
