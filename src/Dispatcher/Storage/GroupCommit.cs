using System.Threading.Channels;
using Dispatcher.Base;
using Polly;
using Polly.Retry;

namespace Dispatcher.Storage;

/// <summary>
/// Commits the items of many concurrent callers in few transactions, without waiting for a batch to fill. A lane takes the queued items,
/// commits them at once and answers each caller. While it writes, the next batch gathers; without load a batch is one item.
/// </summary>
/// <remarks>
/// <para>
/// An unavailable store is never a fault of an item: the lane keeps its batch and repeats it until the commit succeeds, the process stops
/// or all callers have left. Repeating is safe after a fault that leaves the commit uncertain, because every statement is conditional: a
/// move compares the version of its row, an insert the id.
/// </para>
/// <para>
/// After an error of the data, each item of the batch is committed alone, so that only its own caller gets the error. Items with an equal
/// key never share a batch: the later item waits. An item whose caller has left is in no further attempt, so an abandoned item is not
/// committed later.
/// </para>
/// </remarks>
internal abstract class GroupCommit<TItem, TResult> : BackgroundService
{
    /// <summary>A caller whose token is cancelled still waits this long for the result of the attempt that is under way.</summary>
    public static readonly TimeSpan MaxFarewell = TimeSpan.FromMilliseconds(500);

    /// <summary>Two lanes: one gathers while the other commits. More lanes only make batches smaller.</summary>
    private const int Lanes = 2;

    /// <summary>From about 200 rows on, a larger batch costs the same for each row.</summary>
    private const int MaxBatch = 256;

    private static readonly TimeSpan MinPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(1);

    /// <summary>
    /// A commit takes milliseconds. An attempt that takes this long hangs; a new connection may reach a database that works.
    /// </summary>
    private static readonly TimeSpan MaxAttempt = TimeSpan.FromSeconds(15);

    /// <summary>
    /// A full queue means that the database is slower than the callers: they wait, and their messages stay on the broker.
    /// </summary>
    private readonly Channel<PendingItem<TItem, TResult>> _queue = Channel.CreateBounded<PendingItem<TItem, TResult>>(16 * MaxBatch);

    private readonly StoreHealth _health;
    private readonly ResiliencePipeline<ItemFault?> _whileUnavailable;

    protected GroupCommit(StoreHealth health, TimeProvider time)
    {
        _health = health;
        Time = time;
        _whileUnavailable = new ResiliencePipelineBuilder<ItemFault?> { TimeProvider = time }
            .AddRetry(
                new RetryStrategyOptions<ItemFault?>
                {
                    ShouldHandle = args => ValueTask.FromResult(args.Outcome.Exception is { } fault && IsUnavailable(fault)),
                    MaxRetryAttempts = int.MaxValue,
                    BackoffType = DelayBackoffType.Exponential,
                    Delay = MinPause,
                    MaxDelay = MaxPause,
                }
            )
            .Build();
    }

    protected TimeProvider Time { get; }

    /// <summary>Adds an item to the queue. Completes when the item is committed.</summary>
    /// <exception cref="AbandonedCommitException">
    /// The token was cancelled or the process stops. The exception states whether the item may be committed.
    /// </exception>
    public async Task<TResult> AddAsync(TItem item, CancellationToken cancellationToken)
    {
        var pending = new PendingItem<TItem, TResult>(item);
        try
        {
            await _queue.Writer.WriteAsync(pending, cancellationToken);
        }
        catch (Exception notTaken) when (notTaken is ChannelClosedException or OperationCanceledException)
        {
            throw new AbandonedCommitException(mayBeCommitted: false);
        }

        try
        {
            return await pending.Done.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested && !pending.Done.IsCompleted)
        {
            pending.Leave();
            return await FarewellAsync(pending);
        }
    }

    private async Task<TResult> FarewellAsync(PendingItem<TItem, TResult> pending)
    {
        try
        {
            return await pending.Done.WaitAsync(MaxFarewell, Time, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            throw new AbandonedCommitException(mayBeCommitted: true);
        }
    }

    /// <summary>Commits the batch in one transaction. The results have the order of the batch.</summary>
    protected abstract Task<IReadOnlyList<TResult>> CommitAsync(IReadOnlyList<TItem> batch, CancellationToken cancellationToken);

    /// <summary>
    /// Items with an equal key never share a batch. A batch is ordered by the key, so that two lanes lock rows in the same order.
    /// </summary>
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
        var later = new List<PendingItem<TItem, TResult>>();
        var batch = new List<PendingItem<TItem, TResult>>();
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
            // Only this lane knows these items: without an answer their callers would never return. An earlier answer stays.
            batch.Concat(later).ToList().ForEach(pending => pending.Abandon());
        }
    }

    private List<PendingItem<TItem, TResult>> TakeBatch(List<PendingItem<TItem, TResult>> later)
    {
        var batch = new SortedDictionary<Guid, PendingItem<TItem, TResult>>();
        later.RemoveAll(pending => batch.TryAdd(KeyOf(pending.Item), pending));
        while (batch.Count < MaxBatch && later.Count < MaxBatch && _queue.Reader.TryRead(out var next))
        {
            if (!batch.TryAdd(KeyOf(next.Item), next))
            {
                later.Add(next);
            }
        }

        return [.. batch.Values];
    }

    private async Task CommitUntilDoneAsync(List<PendingItem<TItem, TResult>> batch, CancellationToken stoppingToken)
    {
        var fault = await _whileUnavailable.ExecuteAsync(async (items, token) => await TryCommitAsync(items, token), batch, stoppingToken);
        if (fault is { Items.Count: 1 })
        {
            fault.Items[0].Fail(fault.Reason);
            return;
        }

        // One item spoils the batch: each is committed alone to find it.
        foreach (var pending in fault?.Items ?? [])
        {
            await CommitUntilDoneAsync([pending], stoppingToken);
        }
    }

    /// <summary>
    /// One attempt for the items whose callers still wait. Returns the fault of an item, or null when all are answered. Throws while the
    /// store is unavailable: the pipeline then repeats the attempt.
    /// </summary>
    private async Task<ItemFault?> TryCommitAsync(List<PendingItem<TItem, TResult>> batch, CancellationToken stoppingToken)
    {
        var attempt = new CommitAttempt<TItem, TResult>(batch);
        if (attempt.Items.Count == 0)
        {
            return null;
        }

        try
        {
            var results = await CommitAsync(attempt, stoppingToken);
            attempt.Items.Zip(results).ToList().ForEach(pair => pair.First.Complete(pair.Second));
            _health.Works(this);
            return null;
        }
        catch (Exception) when (stoppingToken.IsCancellationRequested)
        {
            throw new OperationCanceledException(stoppingToken);
        }
        catch (Exception unavailable) when (IsUnavailable(unavailable))
        {
            _health.Fails(this, unavailable);
            attempt.Items.ForEach(pending => pending.AttemptFailed(unavailable.IsCertain()));
            throw;
        }
#pragma warning disable CA1031 // Any other fault belongs to the caller of an item; the lane must continue.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            attempt.Items.ForEach(pending => pending.AttemptFailed(reason.IsCertain()));
            return new ItemFault(attempt.Items, reason);
        }
    }

    /// <summary>Cancels the commit when all callers have left, or when it hangs.</summary>
    private async Task<IReadOnlyList<TResult>> CommitAsync(CommitAttempt<TItem, TResult> attempt, CancellationToken stoppingToken)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var commit = CommitAsync(attempt.Items.ConvertAll(pending => pending.Item), end.Token);
        var hangs = Task.Delay(MaxAttempt, Time, end.Token);
        if (await Task.WhenAny(commit, attempt.AllLeft, hangs) != commit)
        {
            await end.CancelAsync();
        }

        var results = await commit;
        await end.CancelAsync();
        return results;
    }

    /// <summary>A cancelled commit counts as well: it hung, or its callers left.</summary>
    private static bool IsUnavailable(Exception fault) => fault.IsStoreUnavailable() || fault is OperationCanceledException;

    /// <summary>A fault that belongs to one of the items, not to the store.</summary>
    private sealed record ItemFault(List<PendingItem<TItem, TResult>> Items, Exception Reason);
}
