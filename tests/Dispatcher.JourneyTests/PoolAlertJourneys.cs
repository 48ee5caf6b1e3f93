using System.Net;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Jobs, people and the audit wait for something on one server. Each problem fires its alert in a real Prometheus, and ends when the
/// commands of its entry in the runbook are run.
/// </summary>
public sealed class PoolAlertJourneys
{
    private const int OneWeekAndADay = 8;

    internal static IReadOnlyList<string> Alerts { get; } =
    [
        "DispatcherSealingStuck",
        "DispatcherDeadLettersNew",
        "DispatcherDeadLettersOld",
        "DispatcherCopiesUndelivered",
        "DispatcherPoolWithoutWorkers",
        "DispatcherBacklogOld",
        "DispatcherSweepRepairsHigh",
        "DispatcherApprovalsWaitLong",
    ];

    [Fact]
    public async Task What_waits_for_workers_and_people_fires_and_ends()
    {
        await using var stage = await OnCallStage.BeginAsync();
        var address = OnCallStage.FreeAddress();

        // A server that hangs while it seals: its transaction keeps the lock. It begins first, so that the entries below are not sealed
        // when they are made older.
        await using var hung = await stage.Journey.LockByAsync("select pg_advisory_xact_lock(4711003)");
        var server = stage.Start(address);
        await stage.ScrapeAsync(address);
        await server.ReadyAsync();
        await stage.Journey.ForgeAsync(Exchanges.Jobs, "job.test.once", "{"u8.ToArray());
        await Eventually.IsAsync(
            async () => await stage.Records.DeadLettersAsync() == 1,
            () => "the unreadable message is a dead letter\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );
        await stage.Records.AgeAsync(days: OneWeekAndADay);
        var ci = await server.MakeKeyAsync("ci", "ci-owner", ["producer"], []);
        var (held, waits) = (AJob.On("job.test.held"), AJob.On("job.test.line"));
        await SubmitAsync(server, held, ci);
        await SubmitAsync(server, waits, ci);
        var sweep = await JobsExpireAsync(stage, server, ci);

        // The dead letter is new for 15 s.
        var fresh = await stage.FiresAsync("DispatcherDeadLettersNew", server, orHasFired: true);
        var letter = Assert.Single(await server.DeadLettersAsync()).GetProperty("dead_letter_id").GetString()!;
        await fresh.RunAsync("dispatcher dead-letters list");
        Assert.Contains("malformed", await fresh.RunAsync("dispatcher dead-letters show ID", ("ID", letter)), StringComparison.Ordinal);

        var copies = await stage.FiresAsync("DispatcherCopiesUndelivered", server);
        Assert.Contains("dispatcher", await copies.RunAsync("dispatcher dead-letters list"), StringComparison.Ordinal);

        var approval = await stage.FiresAsync("DispatcherApprovalsWaitLong", server);
        Assert.Contains($"{held.JobId}", await approval.RunAsync("dispatcher approvals list --all"), StringComparison.Ordinal);
        await approval.RunAsync("dispatcher approvals show ID", ("ID", $"{held.JobId}"));
        await approval.RunAsync("dispatcher jobs cancel ID", ("ID", $"{held.JobId}"));

        var backlog = await stage.FiresAsync("DispatcherBacklogOld", server);
        await backlog.RunAsync("dispatcher status");
        Assert.Contains($"{waits.JobId}", await backlog.RunAsync("dispatcher jobs list --state accepted"), StringComparison.Ordinal);

        var pool = await stage.FiresAsync("DispatcherPoolWithoutWorkers", server);
        Assert.Contains("no worker serves it", await pool.RunAsync("dispatcher status"), StringComparison.Ordinal);
        await pool.RunAsync("curl -H @<(auth) $DISPATCHER_URL/api/workers");

        var sealing = await stage.FiresAsync("DispatcherSealingStuck", server);
        await UnsealedIsEndedAsync(sealing);
        await stage.IsOverAsync("DispatcherSealingStuck", sealing);

        var old = await stage.FiresAsync("DispatcherDeadLettersOld", server);
        await old.RunAsync("dispatcher dead-letters list");
        await Eventually.IsAsync(
            async () =>
                (await old.RunAsync("dispatcher retain --older-than 30d", [("30d", "7d"), .. old.Owner])).Contains(
                    "These days were dropped",
                    StringComparison.Ordinal
                ),
            () => "the old day is dropped\n" + server.Log,
            TimeSpan.FromSeconds(20)
        );
        await stage.IsOverAsync("DispatcherDeadLettersOld", old);

        await backlog.RunAsync("dispatcher jobs cancel ID", ("ID", $"{waits.JobId}"));
        await stage.Journey.CountingWorkerAsync(server);
        await stage.IsOverAsync("DispatcherPoolWithoutWorkers", pool);
        await stage.IsOverAsync("DispatcherBacklogOld", backlog);
        await stage.IsOverAsync("DispatcherApprovalsWaitLong", approval);
        await stage.IsOverAsync("DispatcherSweepRepairsHigh", sweep);
        await stage.IsOverAsync("DispatcherDeadLettersNew", fresh);

        // The queue of the producer is bound to all dead letters. A server offers the copies at its start.
        await stage.Journey.ProducerAsync();
        Assert.Equal(0, await server.StopAsync());
        server = stage.Start(address);
        await server.ReadyAsync();
        await stage.IsOverAsync("DispatcherCopiesUndelivered", copies);
        await stage.EndsQuietAsync(Alerts);
    }

    /// <summary>Jobs expire, two each second, until a person on call has followed the entry.</summary>
    private static async Task<OnCall> JobsExpireAsync(OnCallStage stage, ServerProcess server, string key)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var first = Expiring();
        await SubmitAsync(server, first, key);
        var submitting = SubmitUntilAsync(server, key, stop.Token);
        var sweep = await stage.FiresAsync("DispatcherSweepRepairsHigh", server);
        var timeline = await sweep.RunAsync("dispatcher jobs timeline ID", ("ID", $"{first.JobId}"));
        Assert.Contains("expired", timeline, StringComparison.Ordinal);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => submitting);
        return sweep;
    }

    private static async Task SubmitUntilAsync(ServerProcess server, string key, CancellationToken stop)
    {
        while (true)
        {
            await SubmitAsync(server, Expiring(), key);
            await Task.Delay(TimeSpan.FromMilliseconds(400), stop);
        }
    }

    private static async Task SubmitAsync(ServerProcess server, AJob job, string key) =>
        Assert.Equal(HttpStatusCode.Accepted, (await server.SubmitAsync(job.Body(), key)).Status);

    private static AJob Expiring() =>
        AJob.On("job.test.line") with
        {
            NotAfter = DateTimeOffset.UtcNow.AddSeconds(10).ToString("O", System.Globalization.CultureInfo.InvariantCulture),
        };

    private static async Task UnsealedIsEndedAsync(OnCall sealing)
    {
        await sealing.RunAsync("dispatcher status");
        await sealing.RunAsync("curl -H @<(auth) $DISPATCHER_URL/api/audit");
        var holder = await sealing.RunAsync(
            "select a.pid, a.client_addr, a.state, a.xact_start from pg_locks l join pg_stat_activity a on a.pid = l.pid "
                + "where l.locktype = 'advisory' and l.objid = 4711003 and l.granted and l.database = "
                + "(select oid from pg_database where datname = current_database())"
        );
        await sealing.RunAsync("select pg_terminate_backend(PID)", ("PID", holder.Split(" | ")[0]));
        await sealing.RunAsync("dispatcher audit verify", sealing.Owner);
    }
}
