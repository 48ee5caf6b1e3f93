using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Running;

namespace Dispatcher.UnitTests.Worker.Running;

/// <summary>A run ends at its time limit, and at the end of the grace of a stop.</summary>
public sealed class RunLimitTests
{
    [Fact]
    public async Task Run_is_cancelled_at_its_limit()
    {
        var clock = new SteppedClock();
        await using var worker = await AWorker.That(RunTests.Forever, clock: clock);

        worker.Transport.Deliver(new AWork().With(message => message with { RunUntilMs = 200 }));
        await clock.PassAsync(TimeSpan.FromMilliseconds(200));

        Assert.Equal("timeout", (await worker.Transport.FirstOutcome()).Fault!.Code);
    }

    [Fact]
    public async Task Timeout_constraint_shortens_the_limit_of_a_run()
    {
        var clock = new SteppedClock();
        await using var worker = await AWorker.That(RunTests.Forever, clock: clock);

        worker.Transport.Deliver(new AWork().With(message => message with { Constraints = new Constraints { TimeoutMs = 200 } }));
        await clock.PassAsync(TimeSpan.FromMilliseconds(200));

        Assert.Contains("200 ms", (await worker.Transport.FirstOutcome()).Fault!.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limit_of_a_run_counts_from_the_claim_request_and_not_from_its_answer()
    {
        var clock = new SteppedClock();
        var transport = new InMemoryTransport
        {
            BeforeClaim = _ =>
            {
                clock.Advance(TimeSpan.FromMilliseconds(700));
                return Task.CompletedTask;
            },
        };
        await using var worker = await AWorker.That(RunTests.Forever, transport: transport, clock: clock);

        transport.Deliver(new AWork().With(message => message with { RunUntilMs = 1000 }));
        await clock.PassAsync(TimeSpan.FromMilliseconds(300));

        Assert.Equal("timeout", (await transport.FirstOutcome()).Fault!.Code);
    }

    [Fact]
    public async Task Handler_that_ignores_its_token_is_abandoned_and_its_late_result_and_effects_are_refused()
    {
        var (clock, gate, late) = (new SteppedClock(), new TaskCompletionSource(), new TaskCompletionSource<Exception?>());
        await using var worker = await AWorker.That(
            async (run, _) =>
            {
                await gate.Task;
                late.SetResult(
                    await Record.ExceptionAsync(() => run.Effects.OnceAsync("key", (_, _) => Task.FromResult(1), CancellationToken.None))
                );
                return JobResult.From("late");
            },
            clock: clock
        );

        worker.Transport.Deliver(new AWork().With(message => message with { RunUntilMs = 100 }));
        await clock.PassAsync(TimeSpan.FromMilliseconds(100));
        await clock.PassAsync(ClaimedRun.EndGrace);

        Assert.Equal("timeout", (await worker.Transport.FirstOutcome()).Fault!.Code);
        gate.SetResult();
        Assert.IsType<FencedException>(await late.Task);
        Assert.Single(worker.Transport.Outcomes);
    }

    [Fact]
    public async Task Stop_cancels_runs_that_outlive_the_grace_and_reports_a_fault_that_is_retried()
    {
        var (transport, clock, grace) = (new InMemoryTransport(), new SteppedClock(), TimeSpan.FromMilliseconds(100));
        await using var worker = await AWorker.That(
            async (run, token) =>
            {
                await transport.Note("running");
                return await RunTests.Forever(run, token);
            },
            options => options.StopGrace = grace,
            transport,
            clock
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Seen.Contains("running"));

        var stopping = worker.StopAsync();
        await clock.PassAsync(grace);
        await stopping;

        var fault = Assert.Single(transport.Outcomes).Fault!;
        Assert.Equal((null, "worker_stopping"), (fault.Class, fault.Code));
    }
}
