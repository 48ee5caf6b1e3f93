using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Pools;

namespace Dispatcher.UnitTests.Worker.Pools;

/// <summary>A worker reports a wrong clock, and deliveries that it cannot use.</summary>
public sealed class WorkerClockTests
{
    private static readonly HeartbeatAnswer Nothing = new() { Cancelled = [], Fenced = [] };

    [Theory]
    [InlineData(600)]
    [InlineData(-600)]
    public async Task Worker_reports_the_offset_of_its_clock_and_corrects_the_times_of_its_outcomes(int seconds)
    {
        var ahead = TimeSpan.FromSeconds(seconds);
        var clock = new SteppedClock();
        var transport = new InMemoryTransport { AnswerRegistration = _ => Nothing with { Now = clock.GetUtcNow() - ahead } };
        await using var worker = await AWorker.That(
            (_, _) =>
            {
                clock.Advance(TimeSpan.FromSeconds(1));
                return Task.FromResult(JobResult.Nothing);
            },
            transport: transport,
            clock: clock
        );
        await clock.PassAsync(TimeSpan.FromSeconds(5));
        await transport.Until(() => transport.Registrations.Count > 1);
        var startedAt = clock.GetUtcNow() - ahead;

        transport.Deliver(new AWork());

        var outcome = await transport.FirstOutcome();
        Assert.Null(transport.Registrations.First().ClockAheadMs);
        Assert.Equal(seconds * 1000L, transport.Registrations.Last().ClockAheadMs);
        Assert.Equal((startedAt, startedAt.AddSeconds(1)), (outcome.StartedAt, outcome.EndedAt));
        Assert.Single(worker.Logs, line => line.Id == WorkerEventIds.ClockOff);
    }

    [Fact]
    public async Task Worker_that_can_use_no_delivery_reports_it_at_once_and_stops_consuming()
    {
        var transport = new InMemoryTransport();
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport);
        transport.Deliver(new AWork());
        await transport.FirstOutcome();

        for (var i = 0; i < 20; i++)
        {
            transport.Deliver(new AWork().Permitted(claims => claims with { Aud = "other" }));
        }

        await transport.Until(() =>
            transport.Registrations.Last().Dropping is not null && transport.Seen.Count(seen => seen == "ack") > 3 && transport.Ended == 1
        );
        var last = transport.Registrations.Last();
        Assert.Equal("other_pool", last.Dropping);
        Assert.InRange(last.Dropped, 3, 20);
        Assert.Single(worker.Logs, line => line.Id == WorkerEventIds.DeliveriesUnusable);
        transport.Deliver(new AWork());
        Assert.Single(transport.Prefetches);
        Assert.Single(transport.Claims);
    }

    [Fact]
    public async Task Worker_goes_on_consuming_when_unusable_deliveries_are_mixed_with_usable_ones()
    {
        var transport = new InMemoryTransport();
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport);

        for (var i = 0; i < 5; i++)
        {
            transport.Deliver(new AWork().Permitted(claims => claims with { Aud = "other" }));
            transport.Deliver(new AWork());
        }

        await transport.Until(() => transport.Outcomes.Count == 5);
        Assert.Null(transport.Registrations.Last().Dropping);
    }

    [Fact]
    public void Worker_uses_deliveries_again_after_the_pause()
    {
        using var dropped = new DroppedDeliveries(TimeProvider.System);
        Assert.Equal([false, false, true, false], Enumerable.Range(0, 4).Select(_ => dropped.Drop("other_pool")));
        Assert.Equal("other_pool", dropped.Dropping);

        dropped.Resume();

        Assert.Null(dropped.Dropping);
        Assert.Equal(4, dropped.Total);
        Assert.False(dropped.Drop("other_pool"));
    }
}
