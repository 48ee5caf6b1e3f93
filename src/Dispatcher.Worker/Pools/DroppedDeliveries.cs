namespace Dispatcher.Worker.Pools;

/// <summary>
/// Counts the deliveries that this worker cannot use and drops. A worker that can use none would take the work of the whole pool off
/// its queue: after <see cref="MostInARow"/> it stops consuming for <see cref="Pause"/> and reports why, so that the dispatcher does not count on it.
/// </summary>
internal sealed class DroppedDeliveries : IDisposable
{
    /// <summary>One may be a message that somebody put into the queue by hand.</summary>
    internal const int MostInARow = 3;

    /// <summary>Then it tries again: somebody may have mended what was wrong.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _changed = new(0);
    private int _inARow;
    private long _total;
    private string? _dropping;

    /// <summary>How many were dropped since the start.</summary>
    public long Total
    {
        get
        {
            lock (_lock)
            {
                return _total;
            }
        }
    }

    /// <summary>Why nothing is consumed. Null: it is.</summary>
    public string? Dropping
    {
        get
        {
            lock (_lock)
            {
                return _dropping;
            }
        }
    }

    /// <summary>A delivery fits.</summary>
    public void Used()
    {
        lock (_lock)
        {
            _inARow = 0;
        }
    }

    /// <summary>A delivery is dropped. True: the consuming must pause.</summary>
    /// <param name="reason">In one word, for example <c>unreadable_body</c>.</param>
    public bool Drop(string reason)
    {
        lock (_lock)
        {
            _total++;
            if (++_inARow < MostInARow || _dropping is not null)
            {
                return false;
            }

            _dropping = reason;
        }

        _changed.Release();
        return true;
    }

    /// <summary>The pause is over.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            (_dropping, _inARow) = (null, 0);
        }

        _changed.Release();
    }

    /// <summary>Waits until the dispatcher must hear of a change, at most that long.</summary>
    public Task ChangedAsync(TimeSpan atMost, CancellationToken cancellationToken) => _changed.WaitAsync(atMost, cancellationToken);

    public void Dispose() => _changed.Dispose();
}
