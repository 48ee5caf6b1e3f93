using System.Threading.Channels;
using Dispatcher.Base;

namespace Dispatcher.Storage;

/// <summary>
/// Commits what many concurrent callers hand in as few transactions as possible, without waiting for a batch to fill: a lane takes what is
/// queued, commits it at once and answers each caller by itself, and while it writes the next batch gathers. At rest a batch is one item.
/// </summary>
/// <remarks>
/// A lost database is never a fault of the item: the lane holds its batch and tries again until the process stops or all callers have left. A data
/// error commits the batch again one by one, so that only the caller who brought it gets it. Items with an equal key never share a batch: the later
/// one waits. No attempt begins for a caller who has left, so that what was given up does not run later by itself.
/// </remarks>
internal abstract class GroupCommit<TItem, TResult>(StoreHealth health, TimeProvider time) : BackgroundService
{
    /// <summary>After its token is cancelled, a caller still waits this long to learn what became of an attempt that is under way.</summary>
    public static readonly TimeSpan LongestFarewell = TimeSpan.FromMilliseconds(500);

    /// <summary>Two lanes: one gathers while the other commits. More only make batches smaller.</summary>
    private const int Lanes = 2;

    /// <summary>The largest batch. From about 200 rows on, a larger one costs the same per row.</summary>
    private const int LargestBatch = 256;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(1);

    /// <summary>A commit takes milliseconds. One that takes this long hangs, and a new connection may reach a database that works.</summary>
    private static readonly TimeSpan LongestAttempt = TimeSpan.FromSeconds(15);

    /// <summary>Full means that the database is slower than the callers: they wait, and what they consume stays with the broker.</summary>
    private readonly Channel<Waiting> _queue = Channel.CreateBounded<Waiting>(16 * LargestBatch);

    protected TimeProvider Time { get; } = time;

    /// <summary>Hands in an item; completes when it is committed.</summary>
    /// <exception cref="AbandonedCommitException">The token was cancelled or the process stops. The exception says whether the item may be committed.</exception>
    public async Task<TResult> AddAsync(TItem item, CancellationToken cancellationToken)
    {
        var waiting = new Waiting(item);
        try
        {
            await _queue.Writer.WriteAsync(waiting, cancellationToken);
        }
        catch (Exception notTaken) when (notTaken is ChannelClosedException or OperationCanceledException)
        {
            throw new AbandonedCommitException(mayBeCommitted: false);
        }

        try
        {
            return await waiting.Done.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !waiting.Done.IsCompleted)
        {
            waiting.Leave();
            return await FarewellAsync(waiting);
        }
    }

    private async Task<TResult> FarewellAsync(Waiting waiting)
    {
        try
        {
            return await waiting.Done.WaitAsync(LongestFarewell, Time, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            throw new AbandonedCommitException(mayBeCommitted: true);
        }
    }

    /// <summary>Commits the batch in one transaction; the results are in the batch's order.</summary>
    protected abstract Task<IReadOnlyList<TResult>> CommitAsync(IReadOnlyList<TItem> batch, CancellationToken cancellationToken);

    /// <summary>Items with an equal key never share a batch. Batches are ordered by it, so that two lanes lock rows in the same order.</summary>
    protected abstract Guid KeyOf(TItem item);

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll(Enumerable.Range(0, Lanes).Select(_ => RunLaneAsync(stoppingToken)));

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        _queue.Writer.TryComplete();
        await base.StopAsync(cancellationToken);
        while (_queue.Reader.TryRead(out var left))
        {
            left.Abandon();
        }
    }

    private async Task RunLaneAsync(CancellationToken stoppingToken)
    {
        var later = new List<Waiting>();
        var batch = new List<Waiting>();
        try
        {
            while (later.Count > 0 || await _queue.Reader.WaitToReadAsync(stoppingToken))
            {
                batch = TakeBatch(later);
                await CommitUntilDoneAsync(batch, stoppingToken);
            }
        }
        finally
        {
            // Nobody else knows of them: without this their callers would wait for ever. Who has an answer already keeps it.
            batch.Concat(later).ToList().ForEach(waiting => waiting.Abandon());
        }
    }

    private List<Waiting> TakeBatch(List<Waiting> later)
    {
        var batch = new SortedDictionary<Guid, Waiting>();
        later.RemoveAll(waiting => batch.TryAdd(KeyOf(waiting.Item), waiting));
        while (batch.Count < LargestBatch && later.Count < LargestBatch && _queue.Reader.TryRead(out var next))
        {
            if (!batch.TryAdd(KeyOf(next.Item), next))
            {
                later.Add(next);
            }
        }

        return [.. batch.Values];
    }

    private async Task CommitUntilDoneAsync(List<Waiting> batch, CancellationToken stoppingToken)
    {
        for (var pause = TimeSpan.FromMilliseconds(20); ; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            var attempt = new Attempt(batch);
            if (attempt.Items.Count == 0)
            {
                return;
            }

            try
            {
                var results = await CommitAsync(attempt, stoppingToken);
                attempt.Items.Zip(results).ToList().ForEach(pair => pair.First.Complete(pair.Second));
                health.Works(this);
                return;
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                throw new OperationCanceledException(stoppingToken);
            }
            catch (Exception lost) when (lost.IsStoreUnavailable() || lost is OperationCanceledException)
            {
                health.Fails(this, lost);
                attempt.Items.ForEach(waiting => waiting.Failed(lost.IsCertain()));
                await Task.Delay(pause, Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
#pragma warning disable CA1031 // Whatever it is, it belongs to the caller who brought the item, and the lane must live on.
            catch (Exception reason)
#pragma warning restore CA1031
            {
                attempt.Items.ForEach(waiting => waiting.Failed(reason.IsCertain()));
                await BlameAsync(attempt.Items, reason, stoppingToken);
                return;
            }
        }
    }

    /// <summary>Cancels the commit when no caller waits for it any more, or when it hangs.</summary>
    private async Task<IReadOnlyList<TResult>> CommitAsync(Attempt attempt, CancellationToken stoppingToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var commit = CommitAsync(attempt.Items.ConvertAll(waiting => waiting.Item), end.Token);
        var hangs = Task.Delay(LongestAttempt, Time, end.Token);
        if (await Task.WhenAny(commit, attempt.AllLeft, hangs) != commit)
        {
            await end.CancelAsync();
        }

        var results = await commit;
        await end.CancelAsync();
        return results;
    }

    /// <summary>One item spoils the batch: find it by committing each alone.</summary>
    private async Task BlameAsync(List<Waiting> batch, Exception reason, CancellationToken stoppingToken)
    {
        if (batch.Count == 1)
        {
            batch[0].Blame(reason);
            return;
        }

        foreach (var waiting in batch)
        {
            await CommitUntilDoneAsync([waiting], stoppingToken);
        }
    }

    /// <summary>An item and its caller.</summary>
    private sealed class Waiting(TItem item)
    {
        private readonly TaskCompletionSource<TResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly Lock _guard = new();
        private Attempt? _attempt;
        private bool _hasLeft;
        private bool _mayBeCommitted;

        public TItem Item => item;

        public Task<TResult> Done => _done.Task;

        /// <summary>False: the caller has left, and the item must not be committed.</summary>
        public bool Begin(Attempt attempt)
        {
            lock (_guard)
            {
                if (_hasLeft)
                {
                    return false;
                }

                _attempt = attempt;
                attempt.Enter();
                return true;
            }
        }

        public void Complete(TResult result) => _done.TrySetResult(result);

        public void Blame(Exception reason) => _done.TrySetException(reason);

        /// <param name="isCertain">Whether the failed attempt certainly committed nothing.</param>
        public void Failed(bool isCertain)
        {
            lock (_guard)
            {
                _attempt = null;
                _mayBeCommitted |= !isCertain;
                if (_hasLeft)
                {
                    _done.TrySetException(new AbandonedCommitException(_mayBeCommitted));
                }
            }
        }

        /// <summary>The caller waits no longer. An attempt that is under way still decides what became of the item.</summary>
        public void Leave()
        {
            lock (_guard)
            {
                _hasLeft = true;
                if (_attempt is { } attempt)
                {
                    attempt.Exit();
                }
                else
                {
                    _done.TrySetException(new AbandonedCommitException(_mayBeCommitted));
                }
            }
        }

        /// <summary>The process stops.</summary>
        public void Abandon()
        {
            lock (_guard)
            {
                _done.TrySetException(new AbandonedCommitException(_mayBeCommitted || _attempt is not null));
            }
        }
    }

    /// <summary>One attempt to commit a batch, without the items whose callers have left.</summary>
    private sealed class Attempt
    {
        private readonly TaskCompletionSource _allLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Callers who wait, and the constructor as long as it runs.</summary>
        private int _there = 1;

        public Attempt(IEnumerable<Waiting> batch)
        {
            Items = [.. batch.Where(waiting => waiting.Begin(this))];
            Exit();
        }

        public List<Waiting> Items { get; }

        /// <summary>Completes when no caller waits any more.</summary>
        public Task AllLeft => _allLeft.Task;

        public void Enter() => Interlocked.Increment(ref _there);

        public void Exit()
        {
            if (Interlocked.Decrement(ref _there) == 0)
            {
                _allLeft.TrySetResult();
            }
        }
    }
}
