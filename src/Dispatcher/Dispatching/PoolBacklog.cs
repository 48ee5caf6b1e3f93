using System.Linq.Expressions;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>The backlogs: the jobs of each pool that are not dispatched yet, ordered by <see cref="Job.ReadyAt"/>.</summary>
internal sealed class PoolBacklog(IDbContextFactory<DispatcherDb> database, CurrentBundle current, StoreClock clock)
{
    /// <summary>
    /// The backlog of jobs whose topic is no longer in the registry. It needs no free slots: the policy denies these jobs.
    /// </summary>
    public const string Unregistered = "";

    /// <summary>
    /// The jobs of all backlogs, ready or not. <see cref="WaitsOrIsHeld"/>, <see cref="NextAsync"/> and <see cref="JobDispatch"/> name the
    /// same three states.
    /// </summary>
    public static readonly Expression<Func<Job, bool>> Waits = job =>
        job.State == JobState.Accepted || job.State == JobState.Approved || job.State == JobState.Retrying;

    private static readonly Expression<Func<Job, bool>> WaitsOrIsHeld = job =>
        job.State == JobState.Accepted || job.State == JobState.Approved || job.State == JobState.Retrying || job.State == JobState.Held;

    /// <summary>
    /// The clocks of two processes may differ by this much: a job that one of them made ready is ready for the other too.
    /// </summary>
    private static readonly long ClockSkew = Timestamps.Micros(TimeSpan.FromMilliseconds(20));

    /// <summary>
    /// Time after which the jobs are moved again under the same bundle: an attempt that ran while the bundle changed may return to the
    /// backlog of a removed pool.
    /// </summary>
    private static readonly long AssignInterval = Timestamps.Micros(TimeSpan.FromMinutes(1));

    /// <summary>Maximum payload bytes that one lease holds in memory, not counting the work messages made of them.</summary>
    private const long MaxBytes = 4 * 1024 * 1024;

    /// <summary>Maximum number of jobs that one statement moves, so that it ends within its time limit.</summary>
    private const int AssignBatch = 10_000;

    private long _assignedFor = -1;
    private long _assignAgainAt;

    /// <summary>The pools that can have a backlog: those of the bundle in force, and <see cref="Unregistered"/>.</summary>
    public IReadOnlySet<string> Known => (current.InForce.Bundle?.Pools.Keys ?? []).Append(Unregistered).ToHashSet(StringComparer.Ordinal);

    /// <summary>
    /// The pools with a job that is ready and not frozen. Before it reads them, it moves jobs to the backlogs of the bundle in force, once
    /// for each bundle and once a minute.
    /// </summary>
    public async Task<IReadOnlyList<string>> ReadyAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        if (current.InForce is { Bundle: { } bundle, Serial: var serial } && (serial != _assignedFor || clock.Now > _assignAgainAt))
        {
            await AssignPoolsAsync(db, topic => bundle.JobClasses.GetValueOrDefault(topic)?.Pool ?? Unregistered, cancellationToken);
            (_assignedFor, _assignAgainAt) = (serial, clock.Now + AssignInterval);
        }

        var ready = new List<string>();
        var frozen = await FrozenTargets.ReadAsync(db, clock.Now, cancellationToken);
        foreach (var pool in Known)
        {
            if (await AnyAsync(db, pool, frozen, cancellationToken))
            {
                ready.Add(pool);
            }
        }

        return ready;
    }

    /// <summary>Whether a job of the pool is ready and not frozen.</summary>
    public async Task<bool> IsReadyAsync(string pool, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await AnyAsync(db, pool, await FrozenTargets.ReadAsync(db, clock.Now, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// The next jobs of a pool that are not frozen, in order, with at most <see cref="MaxBytes"/> of payload together, but at least one.
    /// Reads their payloads: the policy and the work messages need them.
    /// </summary>
    public async Task<NextJobs> NextAsync(string pool, int max, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var frozen = await FrozenTargets.ReadAsync(db, clock.Now, cancellationToken);
        if (frozen.Stops(pool))
        {
            return new NextJobs([], MayBeMore: false);
        }

        // The names of topics are parameters. Without a freeze the text has none, so that the database plans it as always.
        object[] values = [pool, clock.Now + ClockSkew, max, MaxBytes, .. frozen.Topics];
        var topics = string.Concat(frozen.Topics.Select((_, i) => $" and topic <> {{{i + 4}}}"));
#pragma warning disable EF1002 // The text has only constants and the placeholders of parameters.
        var jobs = await db
            .Jobs.FromSqlRaw(
                $$"""
                select * from (
                    select j.*, sum(length(j.payload)) over (order by j.ready_at, j.job_id) as bytes,
                        row_number() over (order by j.ready_at, j.job_id) as place
                    from (
                        select * from jobs
                        where state in ('accepted', 'approved', 'retrying') and pool = {0} and ready_at <= {1}{{topics}}
                        order by ready_at, job_id limit {2}) j) fitting
                where bytes <= {3} or place = 1 order by place
                """,
                values
            )
#pragma warning restore EF1002
            .AsNoTracking()
            .ToListAsync(cancellationToken);

        // A payload has at most 1 MiB, so the limit of the bytes left a job out only if more than half of it is used.
        return new NextJobs(jobs, jobs.Count == max || jobs.Sum(job => (long)job.Payload.Length) > MaxBytes / 2);
    }

    /// <summary>
    /// Reads the first in order, not just any: only the index of the backlog has this order. Without it the database could search all jobs.
    /// </summary>
    private async Task<bool> AnyAsync(DispatcherDb db, string pool, FrozenTargets frozen, CancellationToken cancellationToken)
    {
        if (frozen.Stops(pool))
        {
            return false;
        }

        var now = clock.Now + ClockSkew;
        var ready = db.Jobs.Where(Waits).Where(job => job.Pool == pool && job.ReadyAt <= now);
        foreach (var topic in frozen.Topics)
        {
            ready = ready.Where(job => job.Topic != topic);
        }

        return await ready.OrderBy(job => job.ReadyAt).Select(job => (Guid?)job.JobId).FirstOrDefaultAsync(cancellationToken) is not null;
    }

    /// <summary>
    /// Another bundle may give a topic to another pool. The version of the job stays: no decision depends on its backlog.
    /// </summary>
    private static async Task AssignPoolsAsync(DispatcherDb db, Func<string, string> poolOf, CancellationToken cancellationToken)
    {
        var waiting = db.Jobs.Where(WaitsOrIsHeld);
        foreach (var backlog in await waiting.Select(job => new { job.Topic, job.Pool }).Distinct().ToListAsync(cancellationToken))
        {
            var right = poolOf(backlog.Topic);
            if (backlog.Pool != right)
            {
                var batch = waiting.Where(job => job.Topic == backlog.Topic && job.Pool == backlog.Pool).Take(AssignBatch);
                while (await batch.ExecuteUpdateAsync(set => set.SetProperty(job => job.Pool, right), cancellationToken) == AssignBatch) { }
            }
        }
    }
}

/// <summary>The next jobs of a backlog.</summary>
/// <param name="Jobs">In order.</param>
/// <param name="MayBeMore">Further jobs may be ready.</param>
internal sealed record NextJobs(IReadOnlyList<Job> Jobs, bool MayBeMore);
