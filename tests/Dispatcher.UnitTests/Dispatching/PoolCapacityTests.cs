using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class PoolCapacityTests
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(4);

    [Theory]
    // Without a worker nothing goes.
    [InlineData(0, 0, 0, 10, 0)]
    [InlineData(0, 0, 0, null, 0)]
    // While runs are short: four times the capacity may be unclaimed, whatever runs.
    [InlineData(8, 0, 0, 0, 32)]
    [InlineData(8, 0, 0, 10, 32)]
    [InlineData(8, 30, 8, 10, 2)]
    [InlineData(8, 40, 8, 10, 0)]
    // Runs of 0.7 s: two after each other fit in half of 4 s.
    [InlineData(8, 0, 8, 700, 16)]
    [InlineData(8, 0, 0, 700, 24)]
    [InlineData(8, 15, 8, 700, 1)]
    // While runs are long, or nothing is known: what can begin at once.
    [InlineData(8, 0, 0, 2001, 8)]
    [InlineData(8, 0, 0, null, 8)]
    [InlineData(8, 3, 4, null, 1)]
    [InlineData(8, 0, 8, null, 0)]
    [InlineData(8, 0, 9, null, 0)]
    public void A_pool_is_given_what_its_workers_can_begin_in_time(int capacity, int unclaimed, int running, int? longestMs, int room) =>
        Assert.Equal(room, Room(new PoolLoad(1, capacity, unclaimed, running), longestMs).For(StartWithin));

    [Theory]
    [InlineData("abc", 0, "abc")]
    [InlineData("abC", 0, "ab")]
    [InlineData("Abc", 0, "A")]
    [InlineData("Abc", 1, "")]
    [InlineData("", 0, "")]
    public void Who_is_suspected_goes_alone_and_nobody_overtakes(string line, int running, string goes) =>
        Assert.Equal(goes, Next(line, Room(new PoolLoad(1, 8, 0, running), null)));

    [Fact]
    public void Beside_one_that_is_suspected_nobody_goes() =>
        Assert.Equal("", Next("abc", Room(new PoolLoad(1, 8, 1, 0) { HasSuspect = true }, 10)));

    [Fact]
    public void Who_must_start_sooner_than_a_place_is_free_waits_in_line_and_nobody_overtakes() =>
        Assert.Equal("abcd", Next("abcd!e", Room(new PoolLoad(1, 2, 0, 0), 700)));

    [Fact]
    public void A_pool_whose_attempts_come_to_nothing_is_given_less()
    {
        Assert.Equal(1, (Room(new PoolLoad(1, 8, 0, 0), 10) with { Limit = 1 }).For(StartWithin));
        Assert.Equal("", Next("A", Room(new PoolLoad(1, 8, 0, 0), 10) with { Limit = 0 }));
    }

    private static FreeSlots Room(PoolLoad load, int? longestMs) =>
        new(load, 4, longestMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null, int.MaxValue);

    /// <summary>A letter is a job, a capital one is suspected, and a sign must start within a second.</summary>
    private static string Next(string line, FreeSlots room)
    {
        var jobs = line.Select(name => AJob.OnTopic(name.ToString()).Stored).ToList();
        var next = PoolCapacity.NextOf(
            jobs,
            room,
            job => char.IsUpper(job.Topic[0]),
            job => char.IsLetter(job.Topic[0]) ? StartWithin : TimeSpan.FromSeconds(1)
        );
        return string.Concat(next.Select(job => job.Topic));
    }
}
