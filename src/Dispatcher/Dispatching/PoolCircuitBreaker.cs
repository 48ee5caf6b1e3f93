namespace Dispatcher.Dispatching;

/// <summary>
/// Watches how the attempts of one pool end. When too many come to nothing, so that what the pool calls must be down, it lets fewer be under way, half as many each time, down to
/// one: a probe, after a pause that doubles. As soon as that succeeds, twice as many, until there is nothing to limit. As this process sees it: others see their share.
/// </summary>
internal sealed class PoolCircuitBreaker(DispatchOptions options, TimeProvider time)
{
    private static readonly TimeSpan Sample = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan RunMemory = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan FirstPause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private int _good;
    private int _bad;
    private DateTimeOffset _since = time.GetUtcNow();
    private int? _limit;
    private TimeSpan _pause = FirstPause;
    private DateTimeOffset _nextProbe;
    private (DateTimeOffset Since, TimeSpan? Longest, TimeSpan? Before) _runs = (time.GetUtcNow(), null, null);

    /// <summary>How many may be under way at once. Null: it sets no limit.</summary>
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

    /// <summary>The longest run of late. Null: none has ended lately.</summary>
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

    /// <summary>How many more may go, where so many are under way.</summary>
    public int Room(int underWay)
    {
        lock (_lock)
        {
            return _limit is not { } limit ? int.MaxValue
                : limit == 1 && time.GetUtcNow() < _nextProbe ? 0
                : Math.Max(0, limit - underWay);
        }
    }

    /// <summary>An attempt has ended.</summary>
    /// <param name="bad">It came to nothing, and another job's might have too. Null: it says nothing of others.</param>
    /// <param name="ran">How long it ran.</param>
    /// <param name="underWay">As many as are under way at most, of which to let half go on.</param>
    public void Ended(bool? bad, TimeSpan ran, int underWay)
    {
        lock (_lock)
        {
            Forget(ran);
            _runs.Longest = Longer(ran, _runs.Longest);
            _good += bad == false ? 1 : 0;
            _bad += bad == true ? 1 : 0;
            if (bad is null || _good + _bad < Enough(underWay))
            {
                return;
            }

            if (_bad >= options.BreakAt * (_good + _bad))
            {
                Shrink(underWay);
            }
            else if (_limit is not null)
            {
                Grow(underWay);
            }
        }
    }

    /// <summary>A small pool has not many at once that could fail.</summary>
    private int Enough(int underWay) => Math.Min(options.BreakAfter, _limit ?? Math.Max(4, 2 * underWay));

    private void Shrink(int underWay)
    {
        var before = _limit ?? Math.Max(2, underWay);
        _limit = Math.Max(1, before / 2);
        _pause =
            before > 1 ? FirstPause
            : _pause * 2 < LongestPause ? _pause * 2
            : LongestPause;
        _nextProbe = time.GetUtcNow() + _pause;
        Begin();
    }

    private void Grow(int most)
    {
        _limit = _limit * 2 < most ? _limit * 2 : null;
        _pause = FirstPause;
        Begin();
    }

    private void Begin() => (_good, _bad, _since) = (0, 0, time.GetUtcNow());

    private void Forget(TimeSpan? ran)
    {
        var now = time.GetUtcNow();

        // Where each run takes a minute until it fails, ten seconds see too few of them.
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

    /// <summary>The longer of two that may be unknown. Null: both are.</summary>
    internal static TimeSpan? Longer(TimeSpan? one, TimeSpan? other) => other is null || one > other ? one : other;
}
