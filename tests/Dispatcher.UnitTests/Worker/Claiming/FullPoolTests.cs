using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker.Claiming;

public sealed class FullPoolTests
{
    [Fact]
    public async Task A_worker_full_with_long_runs_returns_what_waits_and_takes_no_more_than_it_can_start_when_one_ends()
    {
        var transport = new InMemoryTransport();
        var gate = new TaskCompletionSource();
        await using var worker = await AWorker.That(
            async (_, token) =>
            {
                await gate.Task.WaitAsync(token);
                return JobResult.Nothing;
            },
            options => options.Concurrency = 1,
            transport
        );
        transport.Deliver(new AWork());
        transport.Deliver(new AWork());
        transport.Deliver(new AWork());

        await transport.Until(() => transport.Seen.Count(seen => seen == "return") == 2);
        transport.Deliver(new AWork());
        Assert.Empty(transport.Outcomes);
        gate.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 2);

        Assert.Equal([2, 1], transport.Prefetches);
        await AssertItTakesMoreAgainAsync(transport);
    }

    [Fact]
    public async Task Short_runs_return_nothing_however_many_wait()
    {
        var transport = new InMemoryTransport();
        await using var worker = await OneAtATimeAsync(transport, TimeSpan.FromMilliseconds(50));
        for (var i = 0; i < 40; i++)
        {
            transport.Deliver(new AWork());
        }

        await transport.Until(() => transport.Outcomes.Count == 40);

        Assert.DoesNotContain("return", transport.Seen);
        Assert.Single(transport.Prefetches);
    }

    [Fact]
    public async Task A_worker_that_is_alone_keeps_what_waits()
    {
        var transport = new InMemoryTransport { IsAlone = true };
        await using var worker = await OneAtATimeAsync(transport, TimeSpan.FromMilliseconds(1500));
        transport.Deliver(new AWork());
        transport.Deliver(new AWork());

        await transport.Until(() => transport.Outcomes.Count == 2);

        Assert.DoesNotContain("return", transport.Seen);
    }

    private static Task<AWorker> OneAtATimeAsync(InMemoryTransport transport, TimeSpan took) =>
        AWorker.That(
            async (_, token) =>
            {
                await Task.Delay(took, token);
                return JobResult.Nothing;
            },
            options => options.Concurrency = 1,
            transport
        );

    private static async Task AssertItTakesMoreAgainAsync(InMemoryTransport transport)
    {
        for (var tries = 0; tries < 500 && transport.Prefetches.Count == 2; tries++)
        {
            var before = transport.Taken;
            transport.Deliver(new AWork());
            await transport.Until(() => transport.Taken > before);
            await Task.Delay(20, TestContext.Current.CancellationToken);
        }

        Assert.Equal([2, 1, 2], transport.Prefetches);
    }
}
