using Dispatcher.Dispatching;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class PoolCircuitBreakerTests
{
    private const int Window = 16;
    private static readonly TimeSpan Run = TimeSpan.FromMilliseconds(10);

    private readonly FakeTimeProvider _time = new(AJob.Noon);
    private readonly PoolCircuitBreaker _breaker;

    public PoolCircuitBreakerTests() => _breaker = new PoolCircuitBreaker(new DispatchOptions(), _time);

    [Fact]
    public void Pool_whose_attempts_succeed_is_not_limited()
    {
        End(1_000, failed: false);

        Assert.Equal((null, int.MaxValue), (_breaker.Limit, _breaker.FreeSlots(inProgress: 1_000)));
    }

    [Fact]
    public void Pool_is_not_limited_when_three_of_five_attempts_fail()
    {
        for (var i = 0; i < 1_000; i++)
        {
            End(1, failed: i % 5 < 3);
        }

        Assert.Null(_breaker.Limit);
    }

    [Fact]
    public void Pool_is_not_limited_by_a_few_failed_attempts()
    {
        End(9, failed: true);
        Assert.Null(_breaker.Limit);
        _time.Advance(TimeSpan.FromSeconds(11));
        End(9, failed: true);

        Assert.Null(_breaker.Limit);
    }

    [Fact]
    public void Limit_falls_to_one_probe_within_30_failed_attempts()
    {
        var attempts = 0;
        for (; _breaker.Limit != 1; attempts++)
        {
            End(1, failed: true);
        }

        Assert.InRange(attempts, 10, 30);
        Assert.Equal(0, _breaker.FreeSlots(inProgress: 0));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 0), (_breaker.FreeSlots(inProgress: 0), _breaker.FreeSlots(inProgress: 1)));
    }

    [Fact]
    public void Failed_probe_doubles_the_pause_up_to_ten_seconds()
    {
        FallToOneProbe();
        var pauses = new List<int>();
        for (var probe = 0; probe < 6; probe++)
        {
            var seconds = 0;
            while (_breaker.FreeSlots(0) == 0)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                seconds++;
            }

            pauses.Add(seconds);
            End(1, failed: true);
        }

        Assert.Equal([1, 2, 4, 8, 10, 10], pauses);
    }

    [Fact]
    public void Successful_probe_doubles_the_limit_until_the_breaker_closes()
    {
        FallToOneProbe();
        _time.Advance(TimeSpan.FromSeconds(1));
        var limits = new List<int?>();
        while (_breaker.Limit is { } limit)
        {
            limits.Add(limit);
            End(limit, failed: false);
        }

        Assert.Equal([1, 2, 4, 8], limits);
        Assert.Equal(int.MaxValue, _breaker.FreeSlots(0));
    }

    [Fact]
    public void Longest_recent_run_is_kept_and_later_forgotten()
    {
        Assert.Null(_breaker.LongestRun);
        _breaker.Ended(false, TimeSpan.FromSeconds(7), Window);
        _breaker.Ended(false, Run, Window);
        Assert.Equal(TimeSpan.FromSeconds(7), _breaker.LongestRun);
        _time.Advance(TimeSpan.FromSeconds(31));
        _breaker.Ended(false, Run, Window);
        Assert.Equal(TimeSpan.FromSeconds(7), _breaker.LongestRun);
        _time.Advance(TimeSpan.FromSeconds(31));
        _breaker.Ended(false, Run, Window);

        Assert.Equal(Run, _breaker.LongestRun);
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.Null(_breaker.LongestRun);
    }

    [Fact]
    public void Neutral_ends_neither_open_nor_close_the_breaker()
    {
        Ended(null, 100);
        Assert.Null(_breaker.Limit);
        FallToOneProbe();
        Ended(null, 100);

        Assert.Equal(1, _breaker.Limit);
    }

    [Fact]
    public void Pool_whose_attempts_fail_after_a_minute_each_is_limited()
    {
        for (var round = 0; round < 4 && _breaker.Limit is null; round++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            for (var i = 0; i < 4; i++)
            {
                _breaker.Ended(true, TimeSpan.FromMinutes(1), size: 4);
            }
        }

        Assert.NotNull(_breaker.Limit);
    }

    private void FallToOneProbe()
    {
        while (_breaker.Limit != 1)
        {
            End(1, failed: true);
        }
    }

    private void End(int count, bool failed) => Ended(failed, count);

    private void Ended(bool? failed, int count)
    {
        for (var i = 0; i < count; i++)
        {
            _breaker.Ended(failed, Run, Window);
        }
    }
}
