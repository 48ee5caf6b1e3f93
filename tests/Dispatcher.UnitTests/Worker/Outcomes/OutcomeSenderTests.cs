using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker.Outcomes;

public sealed class OutcomeSenderTests
{
    [Fact]
    public async Task Outcomes_that_wait_while_a_batch_is_sent_share_the_next_batch()
    {
        var transport = new InMemoryTransport();
        var first = new TaskCompletionSource();
        transport.BeforeSend = _ => first.Task;
        await using var worker = await AWorker.That(
            async (_, _) =>
            {
                await transport.Note("ran");
                return JobResult.Nothing;
            },
            options => options.Concurrency = 64,
            transport
        );
        for (var i = 0; i < 20; i++)
        {
            transport.Deliver(new AWork());
        }

        await transport.Until(() => transport.Seen.Count(seen => seen == "ran") == 20);
        first.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 20);

        Assert.True(
            transport.Seen.Count(seen => seen.StartsWith("send", StringComparison.Ordinal)) < 10,
            string.Join(", ", transport.Seen)
        );
    }

    [Fact]
    public async Task Batch_stays_below_one_mebibyte()
    {
        var transport = new InMemoryTransport();
        var first = new TaskCompletionSource();
        List<int> sizes = [];
        transport.BeforeSend = async batch =>
        {
            await first.Task;
            sizes.Add(JsonSerializer.SerializeToUtf8Bytes(batch, WireJson.Default.OutcomeBatch).Length);
        };
        await using var worker = await AWorker.That(
            (_, _) => Task.FromResult(JobResult.From(new string('x', 60_000))),
            options => options.Concurrency = 64,
            transport
        );
        for (var i = 0; i < 40; i++)
        {
            transport.Deliver(new AWork());
        }

        await transport.Until(() => transport.Seen.Count(seen => seen == "ack") == 40);
        first.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 40);

        Assert.All(sizes, size => Assert.InRange(size, 1, 1024 * 1024));
    }

    [Fact]
    public async Task Outcomes_that_were_not_accepted_are_sent_again()
    {
        var (tries, transport, clock) = (0, new InMemoryTransport(), new SteppedClock());
        transport.BeforeSend = _ => ++tries < 3 ? throw new IOException("the broker is unavailable") : Task.CompletedTask;
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), transport: transport, clock: clock);

        transport.Deliver(new AWork());
        await transport.UntilTimePasses(clock, TimeSpan.FromSeconds(1), () => tries >= 3);

        await transport.FirstOutcome();
        Assert.Equal(3, tries);
        Assert.Single(transport.Outcomes);
    }

    /// <summary>Results that the dispatcher would refuse.</summary>
    public static TheoryData<string> BadResults =>
        [
            "{\"a\":1,\"a\":2}",
            "{\"text\":\"\\ud83d\"}",
            new string('[', JsonLimits.DeepestValue + 1) + new string(']', JsonLimits.DeepestValue + 1),
        ];

    [Theory]
    [MemberData(nameof(BadResults))]
    public async Task Result_that_the_dispatcher_would_refuse_becomes_a_terminal_fault(string result)
    {
        var transport = new InMemoryTransport();
        using var document = JsonDocument.Parse(result);
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Of(document.RootElement)), transport: transport);

        transport.Deliver(new AWork());

        var outcome = await transport.FirstOutcome();
        Assert.Equal((OutcomeKind.Faulted, "bad_result", "terminal"), (outcome.Kind, outcome.Fault!.Code, outcome.Fault.Class));
    }

    [Fact]
    public async Task Outcome_too_deep_for_a_batch_becomes_a_fault_and_delays_no_other()
    {
        var transport = new InMemoryTransport();
        transport.BeforeSend = batch =>
        {
            _ = JsonSerializer.SerializeToUtf8Bytes(batch, WireJson.Default.OutcomeBatch);
            return Task.CompletedTask;
        };
        // The maximum depth of one value; a batch nests it deeper.
        using var deep = JsonDocument.Parse(new string('[', 64) + new string(']', 64));
        await using var worker = await AWorker.That(
            (run, _) => Task.FromResult(run.Attempt == 1 ? JobResult.Of(deep.RootElement) : JobResult.Nothing),
            options => options.Concurrency = 1,
            transport
        );

        transport.Deliver(new AWork());
        transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));

        await transport.Until(() => transport.Outcomes.Count == 2);
        Assert.Equal("bad_result", transport.Outcomes.Single(outcome => outcome.Attempt == 1).Fault!.Code);
        Assert.Equal(OutcomeKind.Succeeded, transport.Outcomes.Single(outcome => outcome.Attempt == 2).Kind);
    }

    [Fact]
    public async Task Stop_waits_until_a_large_last_outcome_is_sent()
    {
        var transport = new InMemoryTransport();
        var gate = new TaskCompletionSource();
        await using var worker = await AWorker.That(
            async (_, _) =>
            {
                await transport.Note("running");
                await gate.Task;
                return JobResult.From(new int[250_000]);
            },
            options => options.MaxOutputBytes = 512 * 1024,
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Seen.Contains("running"));

        var stopping = worker.StopAsync();
        gate.SetResult();
        await stopping;

        Assert.Equal(OutcomeKind.Succeeded, Assert.Single(transport.Outcomes).Kind);
    }

    [Fact]
    public async Task Worker_claims_no_work_while_too_many_outcomes_wait()
    {
        var transport = new InMemoryTransport();
        var broker = new TaskCompletionSource();
        transport.BeforeSend = _ => broker.Task;
        await using var worker = await AWorker.That(
            (_, _) => Task.FromResult(JobResult.Nothing),
            options => options.Concurrency = 100,
            transport
        );
        for (var i = 0; i < 2000; i++)
        {
            transport.Deliver(new AWork());
        }

        await transport.Until(() => transport.Claims.Sum(claim => claim.Permits.Count) >= 1000);
        // The claims under way at the limit still complete; after them no further ack follows.
        await transport.Until(() => transport.Seen.Count(seen => seen == "ack") >= 1024);
        var held = transport.Claims.Sum(claim => claim.Permits.Count);
        Assert.InRange(held, 1024, 1024 + 200);

        broker.SetResult();
        await transport.Until(() => transport.Outcomes.Count == 2000);
    }
}
