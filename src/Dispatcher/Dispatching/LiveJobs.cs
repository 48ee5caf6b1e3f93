using System.Collections.Concurrent;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>
/// The jobs in progress that this process moved last, without payload and result, so that a claim or an outcome needs no read before its
/// move. A row here may be out of date: the move compares the version, and after a stale move the caller reads the row from the store.
/// </summary>
internal sealed class LiveJobs(IDbContextFactory<DispatcherDb> database) : IMoveSubscriber
{
    /// <summary>
    /// Jobs of one generation, about 1 KiB each. Jobs that another process ends are not removed here, so the older of two generations is
    /// dropped when the newer one is full.
    /// </summary>
    private const int MaxJobs = 8_192;

    private volatile ConcurrentDictionary<Guid, Job> _newer = new();
    private volatile ConcurrentDictionary<Guid, Job> _older = new();
    private int _added;

    public void Committed(IReadOnlyList<Move> moves)
    {
        foreach (var move in moves)
        {
            _newer.TryRemove(move.After.JobId, out _);
            _older.TryRemove(move.After.JobId, out _);
            if (move.After.State is JobState.Dispatched or JobState.Running)
            {
                Add(move.After with { Payload = [], Result = null });
            }
        }
    }

    /// <summary>
    /// The jobs with these ids: from memory where <paramref name="mayUse"/> accepts the row, the others from the store in one query. Reads
    /// no payload and no result.
    /// </summary>
    public async Task<IReadOnlyDictionary<Guid, Job>> ReadAsync(
        IReadOnlyCollection<Guid> ids,
        Func<Job, bool> mayUse,
        CancellationToken cancellationToken
    )
    {
        var jobs = new Dictionary<Guid, Job>();
        var others = new List<Guid>();
        foreach (var id in ids)
        {
            if ((_newer.TryGetValue(id, out var job) || _older.TryGetValue(id, out job)) && mayUse(job))
            {
                jobs[id] = job;
            }
            else
            {
                others.Add(id);
            }
        }

        foreach (var job in others.Count == 0 ? [] : await StoredAsync(others, cancellationToken))
        {
            jobs[job.JobId] = job;
        }

        return jobs;
    }

    /// <summary>The job as the store has it, for a caller whose move was stale.</summary>
    public async Task<Job> StoredAsync(Guid id, CancellationToken cancellationToken) =>
        (await StoredAsync([id], cancellationToken)).Single();

    private async Task<List<Job>> StoredAsync(List<Guid> ids, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db.Jobs.Where(job => ids.Contains(job.JobId)).WithoutPayloadAndResult().ToListAsync(cancellationToken);
    }

    private void Add(Job job)
    {
        // Two threads may drop a generation too early: jobs missing here are read from the store.
        if (Interlocked.Increment(ref _added) > MaxJobs)
        {
            _added = 0;
            (_older, _newer) = (_newer, new());
        }

        _newer[job.JobId] = job;
    }
}
