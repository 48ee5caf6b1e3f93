using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Recovery;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.UnitTests.Recovery;

/// <summary>Outcomes and the sweep come in batches of up to 256 jobs: whole payloads and results would take tens of megabytes.</summary>
public sealed class RecoverySqlTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Outcome_reads_no_payload_and_no_result()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        await server.Get<MoveWriter>().StartAsync(Stop);
        var running = AJob.ToTest().WithPayload("""{ "n": 1 }""").Running();
        await server.StoreAsync(running.Stored);
        var outcome = AnOutcome.Succeeded(running, "\"done\"");
        var late = outcome with { RunId = Guid.CreateVersion7() };

        var contexts = await RecordedContexts.OfAsync(server);
        using var recovery = new JobRecovery(
            server.Get<MoveWriter>(),
            server.Get<IStore>(),
            new LiveJobs(contexts),
            contexts,
            server.Get<CurrentBundle>(),
            server.Get<StoreClock>(),
            TimeProvider.System,
            NullLogger<JobRecovery>.Instance
        );
        await recovery.RecordAsync([outcome], running.Stored.ClaimedBy!, Stop);
        await recovery.RecordAsync([late], running.Stored.ClaimedBy!, Stop);

        Assert.Equal(2, contexts.Statements.Count(statement => statement.Contains("FROM \"jobs\"", StringComparison.Ordinal)));
        Assert.Empty(contexts.OfLargeColumns);
        await using var db = await server.DatabaseAsync();
        Assert.Equal(JobState.Succeeded, (await db.Jobs.SingleAsync(Stop)).State);
        Assert.Equal(1, await db.Timeline.CountAsync(entry => entry.Kind == TimelineKinds.LateOutcome, Stop));
        await server.Get<MoveWriter>().StopAsync(Stop);
    }

    [Fact]
    public async Task Sweep_reads_no_payload_and_no_result()
    {
        await using var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Stop);
        await server.Get<MoveWriter>().StartAsync(Stop);
        var approved = AJob.ToTest().In(JobState.Approved).With(job => job with { DueAt = 1, ApprovalRound = 1, Pool = "main" });
        await server.StoreAsync(approved.Stored);

        var contexts = await RecordedContexts.OfAsync(server);
        using var sweep = new Sweep(
            new SqliteStore(contexts),
            contexts,
            server.Get<MoveWriter>(),
            server.Get<ApprovedJobs>(),
            server.Get<PoolBacklog>(),
            server.Get<DispatchSignals>(),
            server.Get<CurrentBundle>(),
            server.Get<StoreClock>(),
            server.Get<JobMetrics>(),
            TimeProvider.System,
            NullLogger<Sweep>.Instance
        );
        Assert.Equal(1, await sweep.SweepOnceAsync(Stop));

        Assert.Contains(contexts.Statements, statement => statement.Contains("update jobs set due_at", StringComparison.Ordinal));
        Assert.Contains(contexts.Statements, statement => statement.Contains("\"approvals\"", StringComparison.Ordinal));
        Assert.Empty(contexts.OfLargeColumns);
        await server.Get<MoveWriter>().StopAsync(Stop);
    }
}
