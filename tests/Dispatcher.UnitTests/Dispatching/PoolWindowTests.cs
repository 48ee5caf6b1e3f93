using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class PoolWindowTests
{
    [Theory]
    // Without a worker nothing goes.
    [InlineData(0, 0, 0, true, 0)]
    [InlineData(0, 0, 0, false, 0)]
    // While runs are short: four times the capacity may be unclaimed, whatever runs.
    [InlineData(8, 0, 0, true, 32)]
    [InlineData(8, 30, 8, true, 2)]
    [InlineData(8, 40, 8, true, 0)]
    // While runs are long, or nothing is known: what can begin at once.
    [InlineData(8, 0, 0, false, 8)]
    [InlineData(8, 3, 4, false, 1)]
    [InlineData(8, 0, 8, false, 0)]
    [InlineData(8, 0, 9, false, 0)]
    public void A_pool_is_given_what_its_workers_can_begin(int capacity, int unclaimed, int running, bool runsAreShort, int room) =>
        Assert.Equal(room, PoolWindow.RoomOf(new PoolLoad(1, capacity, unclaimed, running), 4, runsAreShort, int.MaxValue));

    [Theory]
    [InlineData("abc", true, "abc")]
    [InlineData("abC", true, "ab")]
    [InlineData("Abc", true, "A")]
    [InlineData("Abc", false, "")]
    [InlineData("", true, "")]
    public void Who_is_suspected_goes_alone_and_nobody_overtakes(string line, bool isEmpty, string goes)
    {
        var jobs = line.Select(name => AJob.OnTopic(name.ToString()).Stored).ToList();

        Assert.Equal(goes, string.Concat(PoolWindow.NextOf(jobs, isEmpty, job => char.IsUpper(job.Topic[0])).Select(job => job.Topic)));
    }

    [Fact]
    public void A_pool_whose_attempts_come_to_nothing_is_given_less() =>
        Assert.Equal(1, PoolWindow.RoomOf(new PoolLoad(1, 8, 0, 0), 4, true, 1));
}
