using System.Data.Common;
using System.Threading.Channels;

namespace Dispatcher.Storing;

/// <summary>
/// Commits what many concurrent callers hand in as few transactions as possible, without waiting for a batch to fill: a lane takes what is
/// queued, commits it at once and answers each caller by itself, and while it writes the next batch gathers. At rest a batch is one item.
/// </summary>
/// <remarks>
/// A lost database is never a fault of the item: the lane holds its batch and tries again until the process stops. A data error commits the batch
/// again one by one, so that only the caller who brought it gets it. Items with an equal key never share a batch: the later one waits.
/// </remarks>
internal abstract partial class GroupCommit<TItem, TResult>(ILogger logger) : BackgroundService
{
    /// <summary>Two lanes: one gathers while the other commits. More only make batches smaller.</summary>
    private const int Lanes = 2;

    /// <summary>The largest batch. From about 200 rows on, a larger one costs the same per row.</summary>
    private const int LargestBatch = 256;

    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    /// <summary>Full means that the database is slower than the callers: they wait, and what they consume stays with the broker.</summary>
    private readonly Channel<Waiting> _queue = Channel.CreateBounded<Waiting>(16 * LargestBatch);

    /// <summary>Hands in an item; completes when it is committed.</summary>
    public async Task<TResult> AddAsync(TItem item, CancellationToken cancellationToken)
    {
        var waiting = new Waiting(item, new TaskCompletionSource<TResult>(TaskCreationOptions.RunContinuationsAsynchronously));
        await _queue.Writer.WriteAsync(waiting, cancellationToken);
        return await waiting.Done.Task.WaitAsync(cancellationToken);
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
            left.Done.TrySetCanceled(CancellationToken.None);
        }
    }

    private async Task RunLaneAsync(CancellationToken stoppingToken)
    {
        var later = new List<Waiting>();
        try
        {
            while (later.Count > 0 || await _queue.Reader.WaitToReadAsync(stoppingToken))
            {
                var batch = TakeBatch(later);
                if (batch.Count > 0)
                {
                    await CommitUntilDoneAsync(batch, stoppingToken);
                }
            }
        }
        finally
        {
            later.ForEach(waiting => waiting.Done.TrySetCanceled(stoppingToken));
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
            try
            {
                var results = await CommitAsync(batch.ConvertAll(waiting => waiting.Item), stoppingToken);
                for (var i = 0; i < batch.Count; i++)
                {
                    batch[i].Done.TrySetResult(results[i]);
                }

                return;
            }
            catch (Exception) when (stoppingToken.IsCancellationRequested)
            {
                batch.ForEach(waiting => waiting.Done.TrySetCanceled(stoppingToken));
                throw;
            }
            catch (DbException lost) when (!lost.IsAboutData())
            {
                Log.Waits(logger, batch.Count, pause, lost);
                await Task.Delay(pause, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
#pragma warning disable CA1031 // Whatever it is, it belongs to the caller who brought the item, and the lane must live on.
            catch (Exception reason)
#pragma warning restore CA1031
            {
                await BlameAsync(batch, reason, stoppingToken);
                return;
            }
        }
    }

    /// <summary>One item spoils the batch: find it by committing each alone.</summary>
    private async Task BlameAsync(List<Waiting> batch, Exception reason, CancellationToken stoppingToken)
    {
        if (batch.Count == 1)
        {
            batch[0].Done.TrySetException(reason);
            return;
        }

        try
        {
            foreach (var waiting in batch)
            {
                await CommitUntilDoneAsync([waiting], stoppingToken);
            }
        }
        finally
        {
            // Stopped on the way: nobody waits for what was not tried. The others are answered already.
            batch.ForEach(waiting => waiting.Done.TrySetCanceled(stoppingToken));
        }
    }

    private sealed record Waiting(TItem Item, TaskCompletionSource<TResult> Done);

    private static partial class Log
    {
        [LoggerMessage(EventIds.StoreAway, LogLevel.Warning, "The store did not take {Count} items; they are kept and tried again in {Pause}")]
        public static partial void Waits(ILogger logger, int count, TimeSpan pause, Exception reason);
    }
}
