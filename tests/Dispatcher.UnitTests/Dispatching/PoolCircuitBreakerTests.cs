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
    public void A_pool_whose_attempts_succeed_is_not_limited()
    {
        End(1_000, bad: false);

        Assert.Equal((null, int.MaxValue), (_breaker.Limit, _breaker.FreeSlots(inProgress: 1_000)));
    }

    [Fact]
    public void Jobs_that_fail_one_by_one_limit_nobody()
    {
        for (var i = 0; i < 1_000; i++)
        {
            End(1, bad: i % 5 < 3);
        }

        Assert.Null(_breaker.Limit);
    }

    [Fact]
    public void A_few_bad_ends_say_nothing()
    {
        End(9, bad: true);
        Assert.Null(_breaker.Limit);
        _time.Advance(TimeSpan.FromSeconds(11));
        End(9, bad: true);

        Assert.Null(_breaker.Limit);
    }

    [Fact]
    public void When_everything_fails_it_comes_down_to_one_probe_within_few_attempts()
    {
        var attempts = 0;
        for (; _breaker.Limit != 1; attempts++)
        {
            End(1, bad: true);
        }

        Assert.InRange(attempts, 10, 30);
        Assert.Equal(0, _breaker.FreeSlots(inProgress: 0));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal((1, 0), (_breaker.FreeSlots(inProgress: 0), _breaker.FreeSlots(inProgress: 1)));
    }

    [Fact]
    public void A_probe_that_fails_makes_the_next_one_wait_longer_up_to_ten_seconds()
    {
        ComeDown();
        var waits = new List<int>();
        for (var probe = 0; probe < 6; probe++)
        {
            var waited = 0;
            while (_breaker.FreeSlots(0) == 0)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                waited++;
            }

            waits.Add(waited);
            End(1, bad: true);
        }

        Assert.Equal([1, 2, 4, 8, 10, 10], waits);
    }

    [Fact]
    public void Probes_that_succeed_open_it_again_twice_as_much_each_time()
    {
        ComeDown();
        _time.Advance(TimeSpan.FromSeconds(1));
        var limits = new List<int?>();
        while (_breaker.Limit is { } limit)
        {
            limits.Add(limit);
            End(limit, bad: false);
        }

        Assert.Equal([1, 2, 4, 8], limits);
        Assert.Equal(int.MaxValue, _breaker.FreeSlots(0));
    }

    [Fact]
    public void The_longest_run_of_late_is_remembered_and_then_forgotten()
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
    public void Ends_that_say_nothing_of_others_neither_limit_nor_free()
    {
        Ended(null, 100);
        Assert.Null(_breaker.Limit);
        ComeDown();
        Ended(null, 100);

        Assert.Equal(1, _breaker.Limit);
    }

    [Fact]
    public void Attempts_that_fail_after_a_minute_each_are_seen_as_well()
    {
        for (var round = 0; round < 4 && _breaker.Limit is null; round++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            for (var i = 0; i < 4; i++)
            {
                _breaker.Ended(true, TimeSpan.FromMinutes(1), inProgress: 4);
            }
        }

        Assert.NotNull(_breaker.Limit);
    }

    private void ComeDown()
    {
        while (_breaker.Limit != 1)
        {
            End(1, bad: true);
        }
    }

    private void End(int count, bool bad) => Ended(bad, count);

    private void Ended(bool? bad, int count)
    {
        for (var i = 0; i < count; i++)
        {
            _breaker.Ended(bad, Run, Window);
        }
    }
}
