using Dispatcher.Dispatching;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class ClaimRateTests
{
    private readonly FakeTimeProvider _time = new();

    [Fact]
    public void Rate_is_the_larger_of_the_running_second_and_the_one_before()
    {
        var rate = new ClaimRate(_time);
        rate.Add(30);
        Assert.Equal(30, rate.PerSecond);

        _time.Advance(TimeSpan.FromSeconds(1));
        rate.Add(10);

        Assert.Equal(30, rate.PerSecond);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(10, rate.PerSecond);
    }

    [Fact]
    public void Rate_is_zero_after_two_seconds_without_a_claim()
    {
        var rate = new ClaimRate(_time);
        rate.Add(30);

        _time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(0, rate.PerSecond);
    }
}
