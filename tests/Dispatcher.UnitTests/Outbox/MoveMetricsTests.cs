using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;

namespace Dispatcher.UnitTests.Outbox;

/// <summary>What committed moves add to the metrics.</summary>
public sealed class MoveMetricsTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_hop_is_measured_from_the_move_before_it()
    {
        await using var server = await AServer.MigratedAsync();
        using var seen = new Measurements(server);
        var clock = server.Get<StoreClock>();
        await clock.OnceAsync(Stop);
        var ago = clock.Now - Timestamps.Micros(TimeSpan.FromSeconds(40));
        var job = AJob.ToTest()
            .With(job => job with { CreatedAt = ago, ReadyAt = ago, UpdatedAt = ago, Pool = "main", RunUntil = ago + 9, RunLimitUs = 9 })
            .Stored;

        server
            .Get<MoveMetrics>()
            .Committed([
                Moved(job, JobState.Held, JobState.Approved),
                Moved(job, JobState.Approved, JobState.Dispatched),
                Moved(job, JobState.Dispatched, JobState.Running),
                Moved(job, JobState.Running, JobState.Succeeded),
            ]);

        foreach (var hop in new[] { "approval", "backlog", "claim", "run" })
        {
            Assert.InRange(Assert.Single(seen.Of("dispatcher.jobs.hop.duration", $"hop={hop}")), 40, 400);
        }

        Assert.InRange(Assert.Single(seen.Of("dispatcher.jobs.duration", "state=succeeded")), 40, 400);
        Assert.Equal([4], seen.Of("dispatcher.commit.batch", "hop=moves"));
        Assert.Equal([1], seen.Of("dispatcher.jobs.states", "state=running"));
        Assert.Equal([1], seen.Of("dispatcher.attempts.ended", "pool=main,how=succeeded"));
    }

    /// <summary>The job returns to its backlog, and its old place there.</summary>
    [Fact]
    public async Task Attempt_without_a_claim_ends_no_hop_and_no_job()
    {
        await using var server = await AServer.MigratedAsync();
        using var seen = new Measurements(server);

        server.Get<MoveMetrics>().Committed([Moved(AJob.ToTest().Stored, JobState.Dispatched, JobState.Accepted)]);

        Assert.Equal([1], seen.Of("dispatcher.jobs.states", "state=accepted"));
        Assert.DoesNotContain(seen.Names, name => name.Contains("duration", StringComparison.Ordinal));
    }

    /// <summary>A heartbeat or a second vote changes no state.</summary>
    [Fact]
    public async Task Move_within_a_state_counts_in_its_batch_only()
    {
        await using var server = await AServer.MigratedAsync();
        using var seen = new Measurements(server);

        server.Get<MoveMetrics>().Committed([Moved(AJob.ToTest().Stored, JobState.Running, JobState.Running)]);

        Assert.Equal(["dispatcher.commit.batch"], seen.Names);
    }

    private static Move Moved(Job job, JobState from, JobState to) => new(job with { State = from }, job with { State = to });
}
