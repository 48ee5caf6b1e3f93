using Dispatcher.Contracts;
using Dispatcher.UnitTests.Worker.Running;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker.Claiming;

public sealed class ClaimTests
{
    [Fact]
    public async Task Delivery_is_acked_after_the_claim_and_before_the_handler_runs()
    {
        var transport = new InMemoryTransport();
        await using var worker = await AWorker.That(
            async (_, _) =>
            {
                await transport.Note("handler");
                return JobResult.Nothing;
            },
            transport: transport
        );

        transport.Deliver(new AWork());

        await transport.FirstOutcome();
        await transport.Until(() => transport.Seen.Contains("send 1"));
        Assert.Equal(["claim 1", "ack", "handler", "send 1"], transport.Seen);
    }

    [Theory]
    [InlineData(ClaimStatus.Taken)]
    [InlineData(ClaimStatus.Fenced)]
    [InlineData(ClaimStatus.Cancelled)]
    [InlineData(ClaimStatus.Expired)]
    [InlineData(ClaimStatus.Invalid)]
    public async Task Refused_claim_is_acked_and_not_run_and_frees_its_slot(ClaimStatus status)
    {
        var transport = new InMemoryTransport { AnswerClaim = _ => new Claim { Status = status } };
        await using var worker = await AWorker.That(
            (run, _) => Task.FromResult(JobResult.From(run.JobId)),
            options => options.Concurrency = 1,
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Seen.Contains("ack"));
        transport.AnswerClaim = _ => InMemoryTransport.Granted();
        var second = new AWork();

        transport.Deliver(second);

        await transport.FirstOutcome();
        Assert.Equal(second.Message.JobId, Assert.Single(transport.Outcomes).JobId);
    }

    [Fact]
    public async Task Delivery_whose_permit_does_not_fit_is_dropped_without_a_claim()
    {
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing));

        worker.Transport.Deliver(new AWork().Permitted(claims => claims with { Aud = "other" }));

        await worker.Transport.Until(() => worker.Transport.Seen.Contains("ack"));
        Assert.Empty(worker.Transport.Claims);
    }

    [Fact]
    public async Task One_request_claims_as_many_deliveries_as_slots_are_free()
    {
        var gate = new TaskCompletionSource();
        var transport = new InMemoryTransport();
        var firstClaim = new TaskCompletionSource();
        transport.BeforeClaim = _ => firstClaim.Task;
        await using var worker = await AWorker.That(
            async (_, token) =>
            {
                await gate.Task.WaitAsync(token);
                return JobResult.Nothing;
            },
            options => options.Concurrency = 4,
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Claims.Count == 1);

        for (var i = 0; i < 8; i++)
        {
            transport.Deliver(new AWork());
        }

        await transport.Until(() => transport.Taken == 9);
        firstClaim.SetResult();
        await transport.Until(() => transport.Seen.Count(seen => seen == "ack") == 4);
        Assert.Equal([1, 3], transport.Claims.Select(claim => claim.Permits.Count));
        gate.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 9);
    }

    [Fact]
    public async Task Copy_in_the_same_request_is_dropped_and_takes_no_slot()
    {
        var transport = new InMemoryTransport();
        var firstClaim = new TaskCompletionSource();
        transport.BeforeClaim = _ => firstClaim.Task;
        await using var worker = await AWorker.That(
            (_, _) => Task.FromResult(JobResult.Nothing),
            options => options.Concurrency = 3,
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Claims.Count == 1);
        var work = new AWork().Permitted(claims => claims);

        transport.Deliver(work);
        transport.Deliver(work);
        transport.Deliver(new AWork());

        await transport.Until(() => transport.Taken == 4);
        firstClaim.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 3 && transport.Seen.Count(seen => seen == "ack") == 4);
        Assert.Equal(3, transport.Claims.SelectMany(claim => claim.Permits).Distinct().Count());
        Assert.Equal(3, transport.Claims.Sum(claim => claim.Permits.Count));
    }

    [Fact]
    public async Task Copy_of_a_live_run_is_dropped_without_a_claim()
    {
        var transport = new InMemoryTransport();
        var gate = new TaskCompletionSource();
        await using var worker = await AWorker.That(
            async (_, token) =>
            {
                await transport.Note("running");
                await gate.Task.WaitAsync(token);
                return JobResult.Nothing;
            },
            options => options.Concurrency = 2,
            transport
        );
        var work = new AWork().Permitted(claims => claims);
        transport.Deliver(work);
        await transport.Until(() => transport.Seen.Contains("running"));

        transport.Deliver(work);

        await transport.Until(() => transport.Seen.Count(seen => seen == "ack") == 2);
        Assert.Single(transport.Claims);
        gate.SetResult();
        await transport.FirstOutcome();
        Assert.Single(transport.Claims);
    }

    [Fact]
    public async Task Claim_is_repeated_while_the_dispatcher_is_unavailable()
    {
        var (transport, clock) = (new InMemoryTransport(), new SteppedClock());
        transport.BeforeClaim = _ => transport.Claims.Count < 3 ? throw new HttpRequestException("unavailable") : Task.CompletedTask;
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport, clock: clock);

        transport.Deliver(new AWork());
        await transport.UntilTimePasses(clock, TimeSpan.FromSeconds(1), () => transport.Claims.Count >= 3);

        Assert.Equal(OutcomeKind.Succeeded, (await transport.FirstOutcome()).Kind);
        Assert.Equal(3, transport.Claims.Count);
    }

    [Fact]
    public async Task Worker_whose_clock_is_far_ahead_drops_no_delivery()
    {
        var clock = new ShiftedTime(TimeSpan.FromMinutes(10));
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), clock: clock);

        worker.Transport.Deliver(new AWork());

        Assert.Equal(OutcomeKind.Succeeded, (await worker.Transport.FirstOutcome()).Kind);
        Assert.Equal(0, worker.Transport.Registrations.Last().Dropped);
    }

    [Fact]
    public async Task Stop_returns_unclaimed_deliveries_and_lets_running_handlers_end()
    {
        var transport = new InMemoryTransport();
        var gate = new TaskCompletionSource();
        await using var worker = await AWorker.That(
            async (_, token) =>
            {
                await transport.Note("running");
                await gate.Task.WaitAsync(token);
                return JobResult.From("done");
            },
            options => options.Concurrency = 1,
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Seen.Contains("running"));
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Taken == 2);

        var stopping = worker.StopAsync();
        await transport.Until(() => transport.Seen.Contains("return"));
        gate.SetResult();
        await stopping;

        Assert.Equal(OutcomeKind.Succeeded, Assert.Single(transport.Outcomes).Kind);
        Assert.Single(transport.Seen, "return");
        Assert.Single(transport.Claims);
    }

    [Fact]
    public async Task Stop_returns_a_delivery_whose_claim_is_not_answered()
    {
        var transport = new InMemoryTransport { BeforeClaim = _ => throw new HttpRequestException("unavailable") };
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport);
        transport.Deliver(new AWork());
        await transport.Until(() => !transport.Claims.IsEmpty);

        await worker.StopAsync();

        Assert.Contains("return", transport.Seen);
        Assert.DoesNotContain("ack", transport.Seen);
    }

    [Fact]
    public async Task Claim_granted_during_a_stop_is_reported_as_returned()
    {
        var transport = new InMemoryTransport();
        var claim = new TaskCompletionSource();
        transport.BeforeClaim = _ => claim.Task;
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport);
        transport.Deliver(new AWork());
        await transport.Until(() => !transport.Claims.IsEmpty);

        var stopping = worker.StopAsync();
        claim.SetResult();
        await stopping;

        Assert.Equal(OutcomeKind.Returned, Assert.Single(transport.Outcomes).Kind);
    }

    [Fact]
    public async Task Grace_of_running_handlers_counts_from_the_stop_and_not_from_the_end_of_the_last_claim()
    {
        var (transport, clock, claim) = (new InMemoryTransport(), new SteppedClock(), new TaskCompletionSource());
        transport.BeforeClaim = _ => transport.Claims.Count == 1 ? Task.CompletedTask : claim.Task;
        var grace = TimeSpan.FromSeconds(3);
        await using var worker = await AWorker.That(
            RunTests.Forever,
            options => (options.Concurrency, options.StopGrace) = (2, grace),
            transport,
            clock
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Seen.Contains("ack"));
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Claims.Count == 2);

        var stopping = worker.StopAsync();
        await clock.PassAsync(grace);
        claim.SetResult();
        await stopping.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

        Assert.Equal([OutcomeKind.Faulted, OutcomeKind.Returned], transport.Outcomes.Select(outcome => outcome.Kind).Order());
    }
}
