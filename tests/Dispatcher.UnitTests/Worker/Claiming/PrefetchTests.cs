using Dispatcher.Worker.Claiming;
using Microsoft.Extensions.Time.Testing;

namespace Dispatcher.UnitTests.Worker.Claiming;

public sealed class PrefetchTests
{
    private static readonly TimeSpan AMoment = TimeSpan.FromMilliseconds(201);
    private static readonly TimeSpan ASecond = TimeSpan.FromMilliseconds(1001);

    private readonly FakeTimeProvider _clock = new();

    [Fact]
    public void Prefetch_is_twice_the_slots_while_nothing_is_claimed_ahead()
    {
        var prefetch = new Prefetch(4, _clock);

        Assert.False(Follows(prefetch, 0, ASecond));
        Assert.Equal(8, prefetch.Current);
    }

    [Fact]
    public void Prefetch_grows_when_more_is_claimed_ahead_for_a_moment()
    {
        var prefetch = new Prefetch(4, _clock);

        Assert.False(Follows(prefetch, 256, TimeSpan.Zero));
        Assert.True(Follows(prefetch, 256, AMoment));
        Assert.Equal(8 + 512, prefetch.Current);
    }

    [Fact]
    public void Prefetch_shrinks_only_when_less_is_claimed_ahead_for_a_second()
    {
        var prefetch = new Prefetch(4, _clock);
        Follows(prefetch, 100, TimeSpan.Zero);
        Follows(prefetch, 100, AMoment);

        Assert.False(Follows(prefetch, 0, AMoment));
        Assert.False(Follows(prefetch, 0, AMoment));
        Assert.False(Follows(prefetch, 100, ASecond));
        Assert.False(Follows(prefetch, 0, AMoment));
        Assert.True(Follows(prefetch, 0, ASecond));
        Assert.Equal(8, prefetch.Current);
    }

    [Theory]
    [InlineData(1, 7)]
    [InlineData(4, 7)]
    [InlineData(16, 15)]
    public void Prefetch_keeps_its_number_when_little_more_fits(int concurrency, int ahead)
    {
        var prefetch = new Prefetch(concurrency, _clock);

        Assert.False(Follows(prefetch, ahead, AMoment));
        Assert.False(Follows(prefetch, ahead, ASecond));
        Assert.Equal(2 * concurrency, prefetch.Current);
    }

    [Fact]
    public void Prefetch_of_a_full_pool_is_its_free_slots_for_a_second()
    {
        var prefetch = new Prefetch(4, _clock);

        prefetch.Limit(4);

        Assert.Equal(4, prefetch.Current);
        Assert.False(Follows(prefetch, 100, AMoment));
        Assert.True(Follows(prefetch, 0, ASecond));
        Assert.Equal(8, prefetch.Current);
    }

    private bool Follows(Prefetch prefetch, int ahead, TimeSpan after)
    {
        _clock.Advance(after);
        return prefetch.Follow(ahead);
    }
}
