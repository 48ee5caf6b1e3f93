using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker.Claiming;

public sealed class FullPoolTests
{
    /// <summary>How long a delivery waits for a slot before the worker returns it.</summary>
    private static readonly TimeSpan FullAfter = TimeSpan.FromSeconds(1);

    /// <summary>More than one, so that a wait for a slot can end while the run still holds it.</summary>
    private const int StepsOfARun = 3;

    [Fact]
    public async Task Worker_full_with_long_runs_returns_waiting_deliveries_and_takes_one_for_each_slot_that_becomes_free()
    {
        var (transport, clock, gate) = (new InMemoryTransport(), new SteppedClock(), new TaskCompletionSource());
        await using var worker = await AWorker.That(
            async (_, token) =>
            {
                await gate.Task.WaitAsync(token);
                return JobResult.Nothing;
            },
            options => options.Concurrency = 1,
            transport,
            clock
        );
        transport.Deliver(new AWork());
        transport.Deliver(new AWork());
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Taken == 3);

        await clock.PassAsync(FullAfter);

        await transport.Until(() => transport.Seen.Count(seen => seen == "return") == 2);
        transport.Deliver(new AWork());
        Assert.Empty(transport.Outcomes);
        gate.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 2);

        Assert.Equal([2, 1], transport.Prefetches);

        clock.Advance(2 * FullAfter);
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Prefetches.Count == 3);

        Assert.Equal([2, 1, 2], transport.Prefetches);
    }

    [Fact]
    public async Task Worker_returns_no_delivery_while_its_runs_are_short()
    {
        var (transport, clock, step) = (new InMemoryTransport(), new SteppedClock(), FullAfter / 50);
        await using var worker = await OneAtATimeAsync(transport, step, clock);
        for (var i = 0; i < 40; i++)
        {
            transport.Deliver(new AWork());
        }

        for (var i = 0; i < 40 * StepsOfARun; i++)
        {
            await clock.PassAsync(step);
        }

        await transport.Until(() => transport.Outcomes.Count == 40);

        Assert.DoesNotContain("return", transport.Seen);
        Assert.Single(transport.Prefetches);
    }

    [Fact]
    public async Task Worker_without_other_workers_keeps_waiting_deliveries()
    {
        var (transport, clock, step) = (new InMemoryTransport { IsAlone = true }, new SteppedClock(), 1.1 * FullAfter);
        await using var worker = await OneAtATimeAsync(transport, step, clock);
        transport.Deliver(new AWork());
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Taken == 2);

        // The pause after each step lets the worker reach its wait for a slot.
        await transport.UntilTimePasses(clock, step, () => transport.Outcomes.Count == 2);

        Assert.DoesNotContain("return", transport.Seen);
    }

    private static Task<AWorker> OneAtATimeAsync(InMemoryTransport transport, TimeSpan step, SteppedClock clock) =>
        AWorker.That(
            async (_, token) =>
            {
                for (var i = 0; i < StepsOfARun; i++)
                {
                    await Task.Delay(step, clock, token);
                }

                return JobResult.Nothing;
            },
            options => options.Concurrency = 1,
            transport,
            clock
        );
}
