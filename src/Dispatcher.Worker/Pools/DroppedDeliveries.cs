namespace Dispatcher.Worker.Pools;

/// <summary>
/// Counts the deliveries that this worker cannot use and drops. Without a limit, a worker that can use no delivery would empty the
/// queue of the whole pool. After <see cref="MaxInARow"/> drops it stops consuming for <see cref="Pause"/> and reports the reason, and
/// the dispatcher leaves it out of the pool's capacity.
/// </summary>
internal sealed class DroppedDeliveries(TimeProvider clock) : IDisposable
{
    /// <summary>More than one, because a single unusable message may have been published by mistake.</summary>
    internal const int MaxInARow = 3;

    /// <summary>After this time the worker consumes again, because the cause may have been repaired.</summary>
    internal static readonly TimeSpan Pause = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _changed = new(0);
    private int _inARow;
    private long _total;
    private string? _dropping;

    /// <summary>The number of deliveries dropped since the start.</summary>
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

    /// <summary>Why the worker does not consume. Null: it consumes.</summary>
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

    /// <summary>Counts a usable delivery, which ends a row of drops.</summary>
    public void Used()
    {
        lock (_lock)
        {
            _inARow = 0;
        }
    }

    /// <summary>Counts a dropped delivery. True: the caller must stop consuming.</summary>
    /// <param name="reason">A code, for example <c>unreadable_body</c>.</param>
    public bool Drop(string reason)
    {
        lock (_lock)
        {
            _total++;
            if (++_inARow < MaxInARow || _dropping is not null)
            {
                return false;
            }

            _dropping = reason;
        }

        _changed.Release();
        return true;
    }

    /// <summary>Ends the pause.</summary>
    public void Resume()
    {
        lock (_lock)
        {
            (_dropping, _inARow) = (null, 0);
        }

        _changed.Release();
    }

    /// <summary>Waits until the pause begins or ends, or the time is over.</summary>
    public Task ChangedAsync(TimeSpan atMost, CancellationToken cancellationToken) => _changed.WaitAsync(atMost, clock, cancellationToken);

    public void Dispose() => _changed.Dispose();
}
