namespace Dispatcher.Dispatching;

/// <summary>
/// Limits a pool whose attempts fail. When too many fail, the system that the pool calls is probably down: the breaker halves the limit of
/// attempts in progress each time, down to one probe after a pause that doubles. When attempts succeed it doubles the limit, until it
/// closes. It sees only the ends of attempts that this process commits.
/// </summary>
internal sealed class PoolCircuitBreaker(DispatchOptions options, TimeProvider time)
{
    private static readonly TimeSpan Sample = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RunMemory = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private int _good;
    private int _bad;
    private DateTimeOffset _since = time.GetUtcNow();
    private int? _limit;
    private TimeSpan _pause = FirstPause;
    private DateTimeOffset _nextProbe;
    private (DateTimeOffset Since, TimeSpan? Longest, TimeSpan? Before) _runs = (time.GetUtcNow(), null, null);

    /// <summary>Maximum number of attempts in progress. Null: the breaker is closed.</summary>
    public int? Limit
    {
        get
        {
            lock (_lock)
            {
                return _limit;
            }
        }
    }

    /// <summary>The longest recent run. Null: none has ended recently.</summary>
    public TimeSpan? LongestRun
    {
        get
        {
            lock (_lock)
            {
                Forget(null);
                return Longer(_runs.Longest, _runs.Before);
            }
        }
    }

    /// <summary>Maximum number of further attempts.</summary>
    /// <param name="inProgress">The attempts in progress.</param>
    public int FreeSlots(int inProgress)
    {
        lock (_lock)
        {
            return _limit is not { } limit ? int.MaxValue
                : limit == 1 && time.GetUtcNow() < _nextProbe ? 0
                : Math.Max(0, limit - inProgress);
        }
    }

    /// <summary>An attempt has ended.</summary>
    /// <param name="bad">It failed, for a reason that may affect other jobs. Null: its end indicates nothing for other jobs.</param>
    /// <param name="ran">How long it ran.</param>
    /// <param name="size">The size of the pool: the first limit is half of it.</param>
    public void Ended(bool? bad, TimeSpan ran, int size)
    {
        lock (_lock)
        {
            Forget(ran);
            _runs.Longest = Longer(ran, _runs.Longest);
            _good += bad == false ? 1 : 0;
            _bad += bad == true ? 1 : 0;
            if (bad is null || _good + _bad < Enough(size))
            {
                return;
            }

            if (_bad >= options.BreakAt * (_good + _bad))
            {
                Shrink(size);
            }
            else if (_limit is not null)
            {
                Grow(size);
            }
        }
    }

    /// <summary>A small pool needs fewer ended attempts for a decision, because it has fewer in progress.</summary>
    private int Enough(int size) => Math.Min(options.BreakAfter, _limit ?? Math.Max(4, 2 * size));

    private void Shrink(int size)
    {
        var before = _limit ?? Math.Max(2, size);
        _limit = Math.Max(1, before / 2);
        _pause =
            before > 1 ? FirstPause
            : _pause * 2 < MaxPause ? _pause * 2
            : MaxPause;
        _nextProbe = time.GetUtcNow() + _pause;
        Begin();
    }

    private void Grow(int size)
    {
        _limit = _limit * 2 < size ? _limit * 2 : null;
        _pause = FirstPause;
        Begin();
    }

    private void Begin() => (_good, _bad, _since) = (0, 0, time.GetUtcNow());

    private void Forget(TimeSpan? ran)
    {
        var now = time.GetUtcNow();

        // If each run takes a minute until it fails, a sample of ten seconds has too few of them.
        var runs = 2 * (Longer(ran, Longer(_runs.Longest, _runs.Before)) ?? TimeSpan.Zero);
        if (_limit is null && now - _since > (runs > Sample ? runs : Sample))
        {
            Begin();
        }

        if (now - _runs.Since > RunMemory)
        {
            _runs = (now, null, now - _runs.Since > 2 * RunMemory ? null : _runs.Longest);
        }
    }

    /// <summary>The longer of two durations. Null: both are unknown.</summary>
    internal static TimeSpan? Longer(TimeSpan? one, TimeSpan? other) => other is null || one > other ? one : other;
}
