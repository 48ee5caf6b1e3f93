using Dispatcher.Contracts;
using Dispatcher.Worker.Claiming;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Worker.Claiming;

public sealed class ClaimAheadTests
{
    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void Nothing_is_claimed_ahead_before_a_run_has_ended() => Assert.Equal(0, new ClaimAhead(4, _clock).Limit);

    [Fact]
    public void As_many_are_claimed_ahead_as_start_within_100_ms()
    {
        var ahead = new ClaimAhead(4, _clock);

        // 200 a second.
        End(ahead, 100, took: TimeSpan.FromMilliseconds(20), every: TimeSpan.FromMilliseconds(5));

        Assert.Equal(20, ahead.Limit);
    }

    [Fact]
    public void Nothing_is_claimed_ahead_when_no_run_has_ended_for_half_a_second()
    {
        var ahead = new ClaimAhead(4, _clock);
        End(ahead, 100, took: TimeSpan.FromMilliseconds(20), every: TimeSpan.FromMilliseconds(5));

        _clock.Advance(TimeSpan.FromMilliseconds(250));
        Assert.InRange(ahead.Limit, 9, 11);
        _clock.Advance(TimeSpan.FromMilliseconds(251));

        Assert.Equal(0, ahead.Limit);
    }

    [Fact]
    public void Long_runs_that_end_together_allow_few_ahead()
    {
        var ahead = new ClaimAhead(64, _clock);

        End(ahead, 64, took: TimeSpan.FromSeconds(3), every: TimeSpan.Zero);

        Assert.Equal(2, ahead.Limit);
    }

    [Fact]
    public void At_most_256_are_claimed_ahead_at_any_rate()
    {
        var ahead = new ClaimAhead(1024, _clock);

        End(ahead, 50_000, took: TimeSpan.Zero, every: TimeSpan.FromMicroseconds(5));

        Assert.Equal(256, ahead.Limit);
    }

    [Theory]
    [InlineData(true, 1_000, null, true)]
    [InlineData(false, 1_000, null, false)]
    [InlineData(true, 999, null, false)]
    [InlineData(true, 60_000, 500L, false)]
    public void Only_idempotent_jobs_with_time_to_wait_are_claimed_ahead(bool idempotent, long runUntilMs, long? timeoutMs, bool allowed)
    {
        var message = new AWork().Message with
        {
            Idempotent = idempotent,
            RunUntilMs = runUntilMs,
            Constraints = new Constraints { TimeoutMs = timeoutMs },
        };

        Assert.Equal(allowed, ClaimAhead.Allows(message));
    }

    private void End(ClaimAhead ahead, int count, TimeSpan took, TimeSpan every)
    {
        for (var i = 0; i < count; i++)
        {
            _clock.Advance(every);
            ahead.RunEnded(took);
        }
    }
}
