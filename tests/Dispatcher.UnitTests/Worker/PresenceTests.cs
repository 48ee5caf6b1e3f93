using Dispatcher.Contracts;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker;

public sealed class PresenceTests
{
    [Fact]
    public async Task Worker_registers_before_it_takes_work_and_deregisters_when_it_stops()
    {
        var transport = new InMemoryTransport();
        var worker = await AWorker.That(
            (_, _) => Task.FromResult(JobResult.Nothing),
            options => (options.Concurrency, options.Version) = (7, "1.2"),
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Outcomes.Count == 1);

        var first = Assert.Single(transport.Registrations);
        await worker.DisposeAsync();

        Assert.Equal((7, "1.2", false), (first.Capacity, first.Version, first.Shared));
        Assert.Equal(["max_output_bytes", "timeout_ms"], first.Enforcers);
        Assert.Equal(0, transport.Registrations.Last().Capacity);
    }

    [Fact]
    public async Task Worker_without_a_required_enforcer_does_not_start()
    {
        var transport = new InMemoryTransport
        {
            AnswerRegistration = _ => new HeartbeatAnswer
            {
                Cancelled = [],
                Fenced = [],
                MissingEnforcers = ["allowed_hosts"],
            },
        };
        transport.Deliver(new AWork());

        var refused = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport);
            await worker.EndsAsync();
        });

        Assert.Contains("allowed_hosts", refused.Message, StringComparison.Ordinal);
        Assert.Empty(transport.Claims);
    }

    [Fact]
    public async Task Worker_ends_after_its_runs_when_its_pool_begins_to_require_another_enforcer()
    {
        var (transport, clock, gate) = (new InMemoryTransport(), new SteppedClock(), new TaskCompletionSource());
        var missing = new HeartbeatAnswer
        {
            Cancelled = [],
            Fenced = [],
            MissingEnforcers = ["allowed_hosts"],
        };
        await using var worker = await AWorker.That(
            async (_, token) =>
            {
                await gate.Task.WaitAsync(token);
                return JobResult.Nothing;
            },
            transport: transport,
            clock: clock
        );
        // Its heartbeats are not due at the time of the registration.
        transport.Deliver(new AWork().With(message => message with { HeartbeatMs = 60_000 }));
        await transport.Until(() => transport.Seen.Contains("ack"));

        transport.AnswerRegistration = _ => missing;
        await clock.PassAsync(TimeSpan.FromSeconds(5));
        await transport.Until(() => transport.Registrations.Count > 1);
        gate.SetResult();

        var ended = await Assert.ThrowsAsync<InvalidOperationException>(worker.EndsAsync);
        Assert.Contains("allowed_hosts", ended.Message, StringComparison.Ordinal);
        Assert.Equal(OutcomeKind.Succeeded, Assert.Single(transport.Outcomes).Kind);
        Assert.Equal(0, transport.Registrations.Last().Capacity);
    }

    [Fact]
    public async Task Worker_retries_its_registration_and_takes_no_work_before_it_succeeds()
    {
        var (tries, clock, transport) = (0, new SteppedClock(), new InMemoryTransport());
        transport.AnswerRegistration = _ =>
            ++tries < 3 ? throw new HttpRequestException("The dispatcher is away.") : new HeartbeatAnswer { Cancelled = [], Fenced = [] };
        transport.Deliver(new AWork());

        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport, clock: clock);

        await transport.UntilTimePasses(clock, TimeSpan.FromSeconds(1), () => transport.Registrations.Count >= 3);
        await transport.FirstOutcome();
        Assert.Equal(3, tries);
    }
}
