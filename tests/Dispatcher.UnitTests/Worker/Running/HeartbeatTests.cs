using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Running;

namespace Dispatcher.UnitTests.Worker.Running;

public sealed class HeartbeatTests
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);

    [Fact]
    public async Task One_request_carries_all_live_runs()
    {
        var (transport, clock) = (new InMemoryTransport(), new SteppedClock());
        await using var worker = await AWorker.That(RunTests.Forever, NoGrace, transport, clock);

        transport.Deliver(WorkWithHeartbeats());
        transport.Deliver(WorkWithHeartbeats());

        await transport.UntilTimePasses(clock, Interval, () => transport.Seen.Contains("heartbeat 2"));
    }

    [Fact]
    public async Task Run_outlives_its_first_lease_while_its_heartbeats_are_accepted()
    {
        var (transport, clock) = (new InMemoryTransport(), new SteppedClock());
        await using var worker = await AWorker.That(RunTests.Forever, NoGrace, transport, clock);

        transport.Deliver(WorkWithHeartbeats().With(message => message with { RunUntilMs = 3000, Idempotent = true }));
        for (var passed = Interval; passed <= TimeSpan.FromSeconds(3); passed += Interval)
        {
            await clock.PassAsync(Interval);
        }

        Assert.Equal("timeout", (await transport.FirstOutcome()).Fault!.Code);
    }

    [Fact]
    public async Task Cancelled_run_is_stopped_and_reported()
    {
        var transport = new InMemoryTransport
        {
            AnswerHeartbeat = request => new HeartbeatAnswer { Cancelled = [request.Runs[0].RunId], Fenced = [] },
        };
        var clock = new SteppedClock();
        await using var worker = await AWorker.That(RunTests.Forever, NoGrace, transport, clock);

        transport.Deliver(WorkWithHeartbeats());
        await clock.PassAsync(Interval);

        Assert.Equal("cancelled", (await transport.FirstOutcome()).Fault!.Code);
    }

    [Fact]
    public async Task Fenced_run_is_stopped_and_reports_no_outcome_and_its_effects_are_refused()
    {
        var transport = new InMemoryTransport
        {
            AnswerHeartbeat = request => new HeartbeatAnswer { Cancelled = [], Fenced = [request.Runs[0].RunId] },
        };
        var (clock, began, refused) = (new SteppedClock(), new TaskCompletionSource(), new TaskCompletionSource<Exception?>());
        await using var worker = await AWorker.That(
            async (run, token) => run.Attempt == 2 ? JobResult.Nothing : await LateAsync(run, began, refused, token),
            options => options.Concurrency = 1,
            transport,
            clock
        );

        transport.Deliver(WorkWithHeartbeats());
        await began.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await clock.PassAsync(Interval);
        Assert.IsType<FencedException>(await refused.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));

        // The slot is free again, and the first outcome is that of the next run.
        transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));
        Assert.Equal(2, (await transport.FirstOutcome()).Attempt);
    }

    [Fact]
    public async Task Idempotent_run_is_stopped_when_its_lease_lapses_and_its_late_result_is_reported()
    {
        var transport = new InMemoryTransport { AnswerHeartbeat = Unavailable };
        var (clock, began, refused) = (new SteppedClock(), new TaskCompletionSource(), new TaskCompletionSource<Exception?>());
        await using var worker = await AWorker.That((run, token) => LateAsync(run, began, refused, token), NoGrace, transport, clock);

        transport.Deliver(WorkWithHeartbeats().With(message => message with { Idempotent = true }));
        await began.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);
        await clock.PassAsync(3 * Interval);

        Assert.IsType<FencedException>(await refused.Task.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken));
        Assert.Equal(
            (OutcomeKind.Succeeded, "late"),
            ((await transport.FirstOutcome()).Kind, transport.Outcomes.First().Result!.Value.GetString())
        );
    }

    [Fact]
    public async Task Idempotent_run_that_lapses_without_a_result_reports_no_outcome()
    {
        var (transport, clock) = (new InMemoryTransport { IsAlone = true, AnswerHeartbeat = Unavailable }, new SteppedClock());
        await using var worker = await AWorker.That(
            (run, token) => run.Attempt == 1 ? RunTests.Forever(run, token) : Task.FromResult(JobResult.Nothing),
            options => options.Concurrency = 1,
            transport,
            clock
        );

        transport.Deliver(WorkWithHeartbeats().With(message => message with { Idempotent = true }));
        await clock.PassAsync(3 * Interval);
        transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));

        Assert.Equal(2, (await transport.FirstOutcome()).Attempt);
    }

    [Fact]
    public async Task Run_that_is_not_idempotent_goes_on_and_may_have_effects_while_its_heartbeats_fail()
    {
        var (clock, gate) = (new SteppedClock(), new TaskCompletionSource());
        var transport = new InMemoryTransport { AnswerHeartbeat = Unavailable };
        await using var worker = await AWorker.That(
            async (run, token) =>
            {
                await gate.Task.WaitAsync(token);
                return JobResult.From(
                    (await Record.ExceptionAsync(() => run.Effects.OnceAsync("key", (_, _) => Task.FromResult(1), token)))?.GetType().Name
                );
            },
            NoGrace,
            transport,
            clock
        );

        transport.Deliver(WorkWithHeartbeats());
        await transport.UntilTimePasses(clock, Interval, () => transport.Seen.Count(seen => seen == "heartbeat 1") > 4);
        gate.SetResult();

        // The test has no effect store, and only that prevents the effect.
        Assert.Equal(nameof(EffectsUnavailableException), (await transport.FirstOutcome()).Result?.GetString());
    }

    [Fact]
    public void Run_that_was_frozen_past_its_end_may_have_no_effects_even_if_it_is_not_idempotent()
    {
        var clock = new FrozenClock();
        using var run = new ClaimedRun(
            new AWork().Message,
            Guid.CreateVersion7(),
            Guid.CreateVersion7(),
            null,
            clock.GetTimestamp(),
            clock
        );
        Assert.True(run.MayHaveEffects);

        clock.Passed = run.Limit + ClaimedRun.EndGrace;

        Assert.False(run.MayHaveEffects);
        clock.Passed = 2 * run.Limit;
        Assert.Equal(StopReason.Lapsed, run.Close());
    }

    [Fact]
    public async Task Heartbeats_keep_their_pace_while_an_outcome_cannot_be_sent()
    {
        var (clock, sending) = (new SteppedClock(), new TaskCompletionSource());
        var transport = new InMemoryTransport();
        transport.BeforeSend = async _ =>
        {
            await transport.Note("sending");
            await sending.Task;
        };
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), NoGrace, transport, clock);

        transport.Deliver(WorkWithHeartbeats());
        await transport.Until(() => transport.Seen.Contains("sending"));
        for (var i = 1; i <= 3; i++)
        {
            Assert.Equal(i - 1, transport.Seen.Count(seen => seen == "heartbeat 1"));
            await clock.PassAsync(Interval);
            await transport.Until(() => transport.Seen.Count(seen => seen == "heartbeat 1") == i);
        }

        sending.SetResult();
    }

    [Fact]
    public async Task Fenced_run_sends_no_more_heartbeats_while_it_ends()
    {
        var transport = new InMemoryTransport
        {
            IsAlone = true,
            AnswerHeartbeat = request => new HeartbeatAnswer { Cancelled = [], Fenced = [request.Runs[0].RunId] },
        };
        var (clock, gate) = (new SteppedClock(), new TaskCompletionSource());
        await using var worker = await AWorker.That(
            async (run, _) =>
            {
                await (run.Attempt == 1 ? gate.Task : Task.CompletedTask);
                return JobResult.Nothing;
            },
            options => options.Concurrency = 1,
            transport,
            clock
        );

        transport.Deliver(WorkWithHeartbeats());
        await clock.PassAsync(Interval);
        await transport.Until(() => transport.Seen.Contains("heartbeat 1"));
        await clock.PassAsync(ClaimedRun.EndGrace);
        transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));

        Assert.Equal(2, (await transport.FirstOutcome()).Attempt);
        Assert.Single(transport.Seen, "heartbeat 1");
        gate.SetResult();
    }

    private static async Task<JobResult> LateAsync(
        JobRun run,
        TaskCompletionSource began,
        TaskCompletionSource<Exception?> refused,
        CancellationToken token
    )
    {
        began.SetResult();
        await Record.ExceptionAsync(() => Task.Delay(Timeout.Infinite, token));
        refused.SetResult(
            await Record.ExceptionAsync(() => run.Effects.OnceAsync("key", (_, _) => Task.FromResult(1), CancellationToken.None))
        );
        return JobResult.From("late");
    }

    private static void NoGrace(WorkerOptions options) => options.StopGrace = TimeSpan.Zero;

    private static AWork WorkWithHeartbeats() =>
        new AWork().With(message => message with { HeartbeatMs = (int)Interval.TotalMilliseconds });

    private static HeartbeatAnswer Unavailable(HeartbeatRequest request) =>
        throw new HttpRequestException("The dispatcher is unavailable.");

    /// <summary>The state after a freeze: time has passed, and no timer has fired.</summary>
    private sealed class FrozenClock : TimeProvider
    {
        public TimeSpan Passed { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Passed.Ticks;
    }
}
