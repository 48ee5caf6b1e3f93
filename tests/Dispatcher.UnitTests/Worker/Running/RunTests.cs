using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Worker;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Worker.Running;

public sealed class RunTests
{
    [Fact]
    public async Task Result_becomes_a_succeeded_outcome_of_the_run()
    {
        var runId = Guid.CreateVersion7();
        var transport = new InMemoryTransport { AnswerClaim = _ => InMemoryTransport.Granted() with { RunId = runId } };
        await using var worker = await AWorker.That(
            (run, _) => Task.FromResult(JobResult.From(new { run.Topic, run.Attempt })),
            transport: transport
        );
        var work = new AWork();

        transport.Deliver(work);

        var outcome = await transport.FirstOutcome();
        Assert.Equal((OutcomeKind.Succeeded, runId, work.Message.JobId), (outcome.Kind, outcome.RunId, outcome.JobId));
        Assert.Equal("""{"Topic":"job.test","Attempt":1}""", outcome.Result!.Value.GetRawText());
        Assert.Null(outcome.Fault);
    }

    [Fact]
    public async Task Job_fault_exception_of_a_handler_becomes_the_fault()
    {
        await using var worker = await AWorker.That(
            (_, _) => throw JobFaultException.Transient("http:503", "busy", TimeSpan.FromSeconds(7))
        );

        worker.Transport.Deliver(new AWork());

        var fault = (await worker.Transport.FirstOutcome()).Fault!;
        Assert.Equal(("transient", "http:503", "busy", 7000L), (fault.Class, fault.Code, fault.Message, fault.RetryAfterMs));
    }

    [Fact]
    public async Task Other_exception_becomes_a_fault_without_a_class()
    {
        await using var worker = await AWorker.That((_, _) => throw new IOException("disk\0" + new string('x', 5000)));

        worker.Transport.Deliver(new AWork());

        var fault = (await worker.Transport.FirstOutcome()).Fault!;
        Assert.Equal((null, "System.IO.IOException", null), (fault.Class, fault.Type, fault.Code));
        Assert.Equal(4096, fault.Message.Length);
        Assert.StartsWith("disk\uFFFD", fault.Message, StringComparison.Ordinal);
        Assert.Contains(worker.Logs, line => line.Id.Id == WorkerEventIds.RunFailed && line.Exception is IOException);
    }

    [Fact]
    public async Task Exception_of_a_failed_http_answer_becomes_a_fault_with_its_status()
    {
        await using var worker = await AWorker.That(
            (_, _) =>
            {
                using var answer = new HttpResponseMessage(System.Net.HttpStatusCode.ServiceUnavailable);
                answer.EnsureSuccessStatusCode();
                return Task.FromResult(JobResult.Nothing);
            }
        );

        worker.Transport.Deliver(new AWork());

        var fault = (await worker.Transport.FirstOutcome()).Fault!;
        Assert.Equal((null, "System.Net.Http.HttpRequestException", "http:503"), (fault.Class, fault.Type, fault.Code));
    }

    [Fact]
    public async Task Run_that_the_effect_store_fences_reports_no_outcome()
    {
        await using var worker = await AWorker.That(
            (run, _) => run.Attempt == 1 ? throw new FencedException(run.JobId, 1) : Task.FromResult(JobResult.Nothing),
            options => options.Concurrency = 1
        );

        worker.Transport.Deliver(new AWork());
        worker.Transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));

        Assert.Equal(2, (await worker.Transport.FirstOutcome()).Attempt);
        Assert.Contains(worker.Logs, line => line.Id.Id == WorkerEventIds.RunUnreported && line.Exception is FencedException);
    }

    [Fact]
    public async Task Topic_without_a_handler_is_a_terminal_fault()
    {
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing));

        worker.Transport.Deliver(AWork.OnTopic("job.unknown"));

        var fault = (await worker.Transport.FirstOutcome()).Fault!;
        Assert.Equal(("terminal", "no_handler"), (fault.Class, fault.Code));
    }

    [Fact]
    public async Task Blocking_handler_does_not_delay_other_runs()
    {
        using var gate = new ManualResetEventSlim();
        var transport = new InMemoryTransport();
        await using var worker = await AWorker.That(
            (run, _) =>
            {
                if (run.Attempt == 1)
                {
                    gate.Wait(TimeSpan.FromSeconds(10), CancellationToken.None);
                }

                return Task.FromResult(JobResult.From(run.Attempt));
            },
            options => options.Concurrency = 2,
            transport
        );
        transport.Deliver(new AWork());
        await transport.Until(() => transport.Seen.Contains("ack"));

        transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));

        Assert.Equal(2, (await transport.FirstOutcome()).Attempt);
        gate.Set();
    }

    [Fact]
    public async Task Result_over_the_limit_is_cut_and_marked()
    {
        await using var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.From(new string('"', 5000))));

        worker.Transport.Deliver(new AWork().With(message => message with { Constraints = new Constraints { MaxOutputBytes = 1000 } }));

        var result = (await worker.Transport.FirstOutcome()).Result!.Value;
        Assert.True(result.GetProperty("truncated").GetBoolean());
        Assert.Equal(30_002, result.GetProperty("bytes").GetInt64());
        Assert.NotEmpty(result.GetProperty("preview").GetString()!);
        Assert.InRange(JsonSerializer.SerializeToUtf8Bytes(result).Length, 500, 1000);
    }

    [Fact]
    public async Task Result_that_cannot_be_serialized_is_a_terminal_fault_and_frees_the_slot_of_the_run()
    {
        using var halfAPair = JsonDocument.Parse("\"\\ud800\"");
        await using var worker = await AWorker.That(
            (run, _) => Task.FromResult(run.Attempt == 1 ? JobResult.Of(halfAPair.RootElement) : JobResult.Nothing),
            options => options.Concurrency = 1
        );

        worker.Transport.Deliver(new AWork());
        worker.Transport.Deliver(new AWork().With(message => message with { Attempt = 2 }));

        await worker.Transport.Until(() => worker.Transport.Outcomes.Count == 2);
        var first = worker.Transport.Outcomes.Single(outcome => outcome.Attempt == 1);
        Assert.Equal((OutcomeKind.Faulted, "terminal", "bad_result"), (first.Kind, first.Fault!.Class, first.Fault.Code));
        Assert.Null(first.Result);
    }

    [Fact]
    public async Task Exception_whose_message_throws_is_a_terminal_fault()
    {
        await using var worker = await AWorker.That((_, _) => throw new UnreadableException());

        worker.Transport.Deliver(new AWork());

        Assert.Equal("bad_result", (await worker.Transport.FirstOutcome()).Fault!.Code);
    }

    [Fact]
    public async Task Later_attempt_fences_earlier_attempts_before_its_handler_runs()
    {
        var folder = Directory.CreateTempSubdirectory("effects-").FullName;
        var file = Path.Combine(folder, "effects.db");
        var work = new AWork().With(message => message with { Attempt = 2 });
        await using (var worker = await AWorker.That((_, _) => Task.FromResult(JobResult.Nothing), options => options.EffectStore = file))
        {
            worker.Transport.Deliver(work);
            await worker.Transport.FirstOutcome();
        }

        using (var store = PoolEffectStore.Open(file, TimeProvider.System, NullLogger.Instance))
        {
            var earlier = new RunEffects(store, new EffectOwner(work.Message.JobId, 1, Guid.CreateVersion7()), true, () => true);
            await Assert.ThrowsAsync<FencedException>(() =>
                earlier.OnceAsync("late", (_, _) => Task.FromResult(1), TestContext.Current.CancellationToken)
            );
        }

        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(folder, recursive: true);
    }

    private sealed class UnreadableException : Exception
    {
        public override string Message => throw new InvalidOperationException("no message");
    }

    /// <summary>A handler that runs until its token is cancelled.</summary>
    internal static async Task<JobResult> Forever(JobRun run, CancellationToken token)
    {
        await Task.Delay(Timeout.Infinite, token);
        return JobResult.Nothing;
    }
}
