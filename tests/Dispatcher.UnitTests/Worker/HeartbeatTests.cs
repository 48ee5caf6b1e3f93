using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Effects;

namespace Dispatcher.UnitTests.Worker;

public sealed class HeartbeatTests
{
    [Fact]
    public async Task One_request_carries_all_live_runs()
    {
        var transport = new InMemoryTransport();
        await using var worker = await AWorker.That(RunTests.Forever, Quick, transport);

        transport.Deliver(Impatient());
        transport.Deliver(Impatient());

        await transport.Until(() => transport.Seen.Contains("heartbeat 2"));
    }

    [Fact]
    public async Task A_run_outlives_its_lease_as_long_as_heartbeats_are_taken()
    {
        var transport = new InMemoryTransport();
        await using var worker = await AWorker.That(RunTests.Forever, Quick, transport);

        transport.Deliver(Impatient().With(message => message with { RunUntilMs = 3000 }));

        Assert.Equal("timeout", (await transport.FirstOutcome()).Fault!.Code);
        Assert.True(transport.Seen.Count(seen => seen.StartsWith("heartbeat", StringComparison.Ordinal)) > 3);
    }

    [Fact]
    public async Task A_cancelled_run_is_stopped_and_reported()
    {
        var transport = new InMemoryTransport { AnswerHeartbeat = request => new HeartbeatAnswer { Cancelled = [request.Runs[0].RunId], Fenced = [] } };
        await using var worker = await AWorker.That(RunTests.Forever, Quick, transport);

        transport.Deliver(Impatient());

        Assert.Equal("cancelled", (await transport.FirstOutcome()).Fault!.Code);
    }

    [Fact]
    public async Task A_fenced_run_is_stopped_and_its_effects_are_refused_and_nothing_is_reported()
    {
        var transport = new InMemoryTransport { AnswerHeartbeat = request => new HeartbeatAnswer { Cancelled = [], Fenced = [request.Runs[0].RunId] } };

        await FenceAsync(transport);
    }

    [Fact]
    public async Task A_run_whose_heartbeats_fail_for_the_length_of_its_lease_counts_as_fenced()
    {
        var transport = new InMemoryTransport { AnswerHeartbeat = _ => throw new HttpRequestException("away") };

        await FenceAsync(transport);
    }

    private static async Task FenceAsync(InMemoryTransport transport)
    {
        var refused = new TaskCompletionSource<Exception?>();
        await using var worker = await AWorker.That(
            async (run, token) =>
            {
                if (run.Attempt == 2)
                {
                    return JobResult.Nothing;
                }

                await Record.ExceptionAsync(() => Task.Delay(Timeout.Infinite, token));
                refused.SetResult(await Record.ExceptionAsync(() => run.Effects.OnceAsync("key", (_, _) => Task.FromResult(1), CancellationToken.None)));
                return JobResult.From("late");
            },
            options => options.Concurrency = 1,
            transport);

        transport.Deliver(Impatient());
        Assert.IsType<FencedException>(await refused.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));

        // The one slot is free again, and the first outcome there is is the next run's.
        transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));
        Assert.Equal(2, (await transport.FirstOutcome()).Attempt);
    }

    private static void Quick(WorkerOptions options) => options.StopGrace = TimeSpan.Zero;

    private static AWork Impatient() => new AWork().With(message => message with { HeartbeatMs = 500 });
}
