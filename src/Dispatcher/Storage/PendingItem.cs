using Dispatcher.Base;

namespace Dispatcher.Storage;

/// <summary>An item of a group commit whose caller waits for its result.</summary>
internal sealed class PendingItem<TItem, TResult>(TItem item)
{
    private readonly TaskCompletionSource<TResult> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _guard = new();
    private CommitAttempt<TItem, TResult>? _attempt;
    private bool _hasLeft;
    private bool _mayBeCommitted;

    public TItem Item => item;

    public Task<TResult> Done => _done.Task;

    /// <summary>Joins an attempt. False: the caller has left, and the item must not be committed.</summary>
    public bool TryJoin(CommitAttempt<TItem, TResult> attempt)
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

    public void Fail(Exception reason) => _done.TrySetException(reason);

    /// <summary>Ends an attempt without a result. A caller that has left gets its answer now.</summary>
    /// <param name="isCertain">Whether the fault proves that the attempt committed nothing.</param>
    public void AttemptFailed(bool isCertain)
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

    /// <summary>The caller stops waiting. An attempt that is under way still decides whether the item is committed.</summary>
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

    /// <summary>The process stops: the item is in no further attempt.</summary>
    public void Abandon()
    {
        lock (_guard)
        {
            _done.TrySetException(new AbandonedCommitException(_mayBeCommitted || _attempt is not null));
        }
    }
}

/// <summary>One attempt to commit a batch, without the items whose callers have left.</summary>
internal sealed class CommitAttempt<TItem, TResult>
{
    private readonly TaskCompletionSource _allLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Callers that wait. The constructor counts as one, so that the attempt does not end while items join it.</summary>
    private int _waiting = 1;

    public CommitAttempt(IEnumerable<PendingItem<TItem, TResult>> batch)
    {
        Items = [.. batch.Where(pending => pending.TryJoin(this))];
        Exit();
    }

    public List<PendingItem<TItem, TResult>> Items { get; }

    /// <summary>Completes when no caller waits any more.</summary>
    public Task AllLeft => _allLeft.Task;

    public void Enter() => Interlocked.Increment(ref _waiting);

    public void Exit()
    {
        if (Interlocked.Decrement(ref _waiting) == 0)
        {
            _allLeft.TrySetResult();
        }
    }
}
