using System.Collections.Concurrent;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Dispatching;

/// <summary>
/// Gives one caller at a time, of all processes, the right to dispatch a pool's next jobs, as many as the pool's window has room for: so they leave in order, and no two
/// processes see the same room.
/// </summary>
internal sealed class PoolLeases(IStore store, PoolBacklog lines, PoolCapacity window, StoreClock clock) : IDisposable
{
    /// <summary>So many jobs at most go in a turn; large payloads allow fewer, see <see cref="PoolBacklog.NextAsync"/>.</summary>
    private const int LargestTurn = 64;

    /// <summary>A turn takes milliseconds. Whoever takes longer may find others beside it: the window is passed then, and nothing else.</summary>
    private static readonly TimeSpan LongestTurn = TimeSpan.FromSeconds(10);

    private readonly ConcurrentDictionary<string, Door> _doors = new(StringComparer.Ordinal);

    /// <summary>Null: nobody is ready, there is no room, this process may not decide now, or another of it is about to look anyway.</summary>
    public async Task<PoolLease?> TakeAsync(string pool, CancellationToken cancellationToken)
    {
        // Asked before the line is held: most claims and ends come while nobody waits.
        if (!clock.IsTrusted || !await lines.IsReadyAsync(pool, cancellationToken))
        {
            return null;
        }

        var door = _doors.GetOrAdd(pool, _ => new Door());
        if (!await door.EnterAsync(cancellationToken))
        {
            return null;
        }

        PoolLease? turn = null;
        try
        {
            var held = await store.LockPoolAsync(pool, LongestTurn, cancellationToken);
            try
            {
                var room =
                    pool == PoolBacklog.Unregistered ? FreeSlots.Of(LargestTurn) : await window.CapacityAsync(pool, cancellationToken);
                var most = Math.Min(LargestTurn, window.MostOf(pool, room));
                var line = most == 0 ? new NextJobs([], MayBeMore: false) : await lines.NextAsync(pool, most, cancellationToken);
                var jobs = window.Next([.. line.Jobs.Where(job => window.IsRight(pool, job))], room);
                return turn = jobs.Count == 0 ? null : new PoolLease(jobs, line.MayBeMore || jobs.Count < line.Jobs.Count, held, door);
            }
            finally
            {
                if (turn is null)
                {
                    await held.DisposeAsync();
                }
            }
        }
        finally
        {
            if (turn is null)
            {
                door.Leave();
            }
        }
    }

    public void Dispose()
    {
        foreach (var door in _doors.Values)
        {
            door.Dispose();
        }
    }

    /// <summary>Lets one in, and one wait: whoever waits will see what any other would.</summary>
    internal sealed class Door : IDisposable
    {
        private readonly SemaphoreSlim _one = new(1, 1);
        private int _inside;

        public async Task<bool> EnterAsync(CancellationToken cancellationToken)
        {
            if (Interlocked.Increment(ref _inside) > 2)
            {
                Interlocked.Decrement(ref _inside);
                return false;
            }

            try
            {
                await _one.WaitAsync(cancellationToken);
                return true;
            }
            catch (OperationCanceledException)
            {
                Interlocked.Decrement(ref _inside);
                throw;
            }
        }

        public void Dispose() => _one.Dispose();

        public void Leave()
        {
            Interlocked.Decrement(ref _inside);
            _one.Release();
        }
    }
}

/// <summary>The jobs that may go now. Nobody else takes from their line until it is disposed.</summary>
/// <param name="Jobs">In order; at least one.</param>
/// <param name="MayBeMore">Somebody may stand behind them. When some of them do not go after all, others may.</param>
/// <param name="Held">The line, against other processes.</param>
/// <param name="Door">The line, against others of this process.</param>
internal sealed record PoolLease(IReadOnlyList<Job> Jobs, bool MayBeMore, IAsyncDisposable Held, PoolLeases.Door Door) : IAsyncDisposable
{
    public async ValueTask DisposeAsync()
    {
        try
        {
            await Held.DisposeAsync();
        }
        finally
        {
            Door.Leave();
        }
    }
}
