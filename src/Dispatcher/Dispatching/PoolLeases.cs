using System.Collections.Concurrent;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Dispatching;

/// <summary>
/// Gives one caller at a time, of all processes, the right to dispatch the next jobs of a pool, as many as the pool has free slots for. So
/// jobs leave in order, and no two processes fill the same slot.
/// </summary>
internal sealed class PoolLeases(IStore store, PoolBacklog backlog, PoolCapacity capacity, StoreClock clock) : IDisposable
{
    /// <summary>Maximum number of jobs for one lease. Large payloads allow fewer: see <see cref="PoolBacklog.NextAsync"/>.</summary>
    private const int MaxJobs = 256;

    /// <summary>
    /// A lease takes milliseconds. After this time another process may take it too; then the pool gets more jobs than it has slots for, and
    /// there is no other harm.
    /// </summary>
    private static readonly TimeSpan MaxLease = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, CoalescingLock> _locks = new(StringComparer.Ordinal);

    /// <summary>
    /// Null: no job is ready, no slot is free, the clock of this process is not trusted, or another caller of this process is waiting for
    /// the same lease.
    /// </summary>
    public async Task<PoolLease?> TakeAsync(string pool, CancellationToken cancellationToken)
    {
        if (!clock.IsTrusted)
        {
            return null;
        }

        var local = _locks.GetOrAdd(pool, _ => new CoalescingLock());
        if (!await local.EnterAsync(cancellationToken))
        {
            return null;
        }

        PoolLease? lease = null;
        try
        {
            // Checked before the lock is taken: after most claims and ends of attempts the backlog is empty.
            if (!await backlog.IsReadyAsync(pool, cancellationToken))
            {
                return null;
            }

            var stored = await store.LockPoolAsync(pool, MaxLease, cancellationToken);
            try
            {
                return lease = await NextAsync(pool, stored, local, cancellationToken);
            }
            finally
            {
                if (lease is null)
                {
                    await stored.DisposeAsync();
                }
            }
        }
        finally
        {
            if (lease is null)
            {
                local.Leave();
            }
        }
    }

    public void Dispose()
    {
        foreach (var local in _locks.Values)
        {
            local.Dispose();
        }
    }

    private async Task<PoolLease?> NextAsync(
        string pool,
        IAsyncDisposable stored,
        CoalescingLock local,
        CancellationToken cancellationToken
    )
    {
        var slots = pool == PoolBacklog.Unregistered ? FreeSlots.Of(MaxJobs) : await capacity.FreeSlotsAsync(pool, cancellationToken);
        var max = Math.Min(MaxJobs, capacity.MaxJobs(pool, slots));
        var next = max == 0 ? new NextJobs([], MayBeMore: false) : await backlog.NextAsync(pool, max, cancellationToken);
        var jobs = capacity.Next([.. next.Jobs.Where(job => capacity.IsOfPool(pool, job))], slots);
        return jobs.Count == 0 ? null : new PoolLease(jobs, next.MayBeMore || jobs.Count < next.Jobs.Count, stored, local);
    }

    /// <summary>
    /// One caller runs and one waits. Further callers return, because the waiter covers them: it starts after they came, and sees all that
    /// they would see.
    /// </summary>
    internal sealed class CoalescingLock : IDisposable
    {
        private readonly SemaphoreSlim _one = new(1, 1);
        private int _callers;

        /// <summary>False: another caller is waiting already. True: call <see cref="Leave"/> at the end.</summary>
        public async Task<bool> EnterAsync(CancellationToken cancellationToken)
        {
            if (Interlocked.Increment(ref _callers) > 2)
            {
                Interlocked.Decrement(ref _callers);
                return false;
            }

            try
            {
                await _one.WaitAsync(cancellationToken);
                return true;
            }
            catch (OperationCanceledException)
            {
                Interlocked.Decrement(ref _callers);
                throw;
            }
        }

        public void Dispose() => _one.Dispose();

        public void Leave()
        {
            Interlocked.Decrement(ref _callers);
            _one.Release();
        }
    }
}

/// <summary>The next jobs of a pool, and the lease on it: until it is disposed, no other caller takes jobs of the pool.</summary>
/// <param name="Jobs">In order; at least one.</param>
/// <param name="MayBeMore">Further jobs may be ready.</param>
/// <param name="Stored">The lock against other processes.</param>
/// <param name="Local">The lock against other callers in this process.</param>
internal sealed record PoolLease(IReadOnlyList<Job> Jobs, bool MayBeMore, IAsyncDisposable Stored, PoolLeases.CoalescingLock Local)
    : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        try
        {
            await Stored.DisposeAsync();
        }
        finally
        {
            Local.Leave();
        }
    }
}
