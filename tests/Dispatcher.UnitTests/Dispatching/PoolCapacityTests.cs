using Dispatcher.Dispatching;

namespace Dispatcher.UnitTests.Dispatching;

public sealed class PoolCapacityTests
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(4);

    [Theory]
    // A pool without workers gets no job.
    [InlineData(0, 0, 0, 10, 0)]
    [InlineData(0, 0, 0, null, 0)]
    // Short runs: up to four times the capacity may be unclaimed, independent of the running attempts.
    [InlineData(8, 0, 0, 0, 32)]
    [InlineData(8, 0, 0, 10, 32)]
    [InlineData(8, 30, 8, 10, 2)]
    [InlineData(8, 40, 8, 10, 0)]
    // Runs of 0.7 s: two in sequence fit in half of 4 s.
    [InlineData(8, 0, 8, 700, 16)]
    [InlineData(8, 0, 0, 700, 24)]
    [InlineData(8, 15, 8, 700, 1)]
    // Long runs or an unknown duration: as many jobs as can start at once.
    [InlineData(8, 0, 0, 2001, 8)]
    [InlineData(8, 0, 0, null, 8)]
    [InlineData(8, 3, 4, null, 1)]
    [InlineData(8, 0, 8, null, 0)]
    [InlineData(8, 0, 9, null, 0)]
    public void Pool_gets_as_many_jobs_as_its_workers_can_start_in_time(
        int capacity,
        int unclaimed,
        int running,
        int? longestMs,
        int slots
    ) => Assert.Equal(slots, Slots(new PoolLoad(1, capacity, unclaimed, running), longestMs).StartableWithin(StartWithin));

    [Theory]
    [InlineData("abc", 0, "abc")]
    [InlineData("abC", 0, "ab")]
    [InlineData("Abc", 0, "A")]
    [InlineData("Abc", 1, "")]
    [InlineData("", 0, "")]
    public void Suspect_job_runs_alone_and_no_job_overtakes_it(string backlog, int running, string dispatched) =>
        Assert.Equal(dispatched, Next(backlog, Slots(new PoolLoad(1, 8, 0, running), null)));

    [Fact]
    public void No_job_is_dispatched_beside_a_suspect_job() =>
        Assert.Equal("", Next("abc", Slots(new PoolLoad(1, 8, 1, 0) { HasSuspect = true }, 10)));

    [Fact]
    public void Job_that_must_start_before_a_slot_is_free_stays_in_the_backlog_and_is_not_overtaken() =>
        Assert.Equal("abcd", Next("abcd!e", Slots(new PoolLoad(1, 2, 0, 0), 700)));

    [Fact]
    public void Pool_whose_attempts_fail_gets_fewer_jobs()
    {
        Assert.Equal(1, (Slots(new PoolLoad(1, 8, 0, 0), 10) with { Limit = 1 }).StartableWithin(StartWithin));
        Assert.Equal("", Next("A", Slots(new PoolLoad(1, 8, 0, 0), 10) with { Limit = 0 }));
    }

    /// <summary>At 4,000 claims in a second, 250 ms of claims are 1,000 attempts: more than four times the capacity.</summary>
    [Theory]
    [InlineData(10, 0, 1_000)]
    [InlineData(10, 900, 100)]
    [InlineData(10, 1_000, 0)]
    [InlineData(2_500, 0, 8)]
    [InlineData(null, 0, 4)]
    public void Pool_with_short_runs_gets_as_many_attempts_as_its_workers_claim_in_250_ms(int? longestMs, int unclaimed, int slots) =>
        Assert.Equal(
            slots,
            (Slots(new PoolLoad(1, 4, unclaimed, 0), longestMs) with { ClaimsPerSecond = 4_000 }).StartableWithin(TimeSpan.FromSeconds(5))
        );

    private static FreeSlots Slots(PoolLoad load, int? longestMs) =>
        new(load, 4, longestMs is { } ms ? TimeSpan.FromMilliseconds(ms) : null, int.MaxValue);

    /// <summary>Each character is a job. A capital letter is a suspect; a sign must start within a second.</summary>
    private static string Next(string backlog, FreeSlots slots)
    {
        var jobs = backlog.Select(name => AJob.OnTopic(name.ToString()).Stored).ToList();
        var next = PoolCapacity.NextOf(
            jobs,
            slots,
            job => char.IsUpper(job.Topic[0]),
            job => char.IsLetter(job.Topic[0]) ? StartWithin : TimeSpan.FromSeconds(1)
        );
        return string.Concat(next.Select(job => job.Topic));
    }
}
