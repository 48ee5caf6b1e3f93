using System.Text.Json.Nodes;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The runbook: each alert is made, each entry with commands is followed, and what the sections promise holds.</summary>
public sealed class RunbookJourneys
{
    private static readonly string[] Sections =
    [
        "Stop: freeze and unfreeze",
        "Isolate a worker",
        "Isolate a key",
        "Isolate a principal",
        "Replay",
        "Communicate",
    ];

    [Fact]
    public void Every_alert_is_made_in_a_stage() =>
        Assert.Equal(ShortAlerts.Names.Order(StringComparer.Ordinal), Made().Order(StringComparer.Ordinal));

    /// <summary>A stage runs all commands of each entry that it follows.</summary>
    [Fact]
    public void Every_entry_with_commands_is_followed() =>
        Assert.Equal(
            Runbook.Headings.Order(StringComparer.Ordinal),
            Made().Where(alert => Runbook.Commands(alert).Count > 0).Concat(Sections).Order(StringComparer.Ordinal)
        );

    [Fact]
    public async Task Work_is_stopped_isolated_and_communicated_as_the_sections_say()
    {
        await using var journey = await Journey.BeginAsync();
        var server = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var freeze = await TopicIsFrozenAsync(journey, server, billing);
        var letter = await WorkerIsIsolatedAsync(journey, server, billing);
        var waiting = await KeyIsIsolatedAsync(journey, server, billing);
        await PrincipalIsIsolatedAsync(journey, server, waiting);

        var replay = new OnCall(journey, server, "Replay");
        Assert.Contains("in_doubt", await replay.RunAsync("dispatcher dead-letters show ID", ("ID", letter)), StringComparison.Ordinal);
        replay.HasRunAll();

        var communicate = new OnCall(journey, server, "Communicate");
        Assert.Contains(freeze, await communicate.RunAsync("dispatcher freeze list --json"), StringComparison.Ordinal);
        foreach (
            var (id, scope) in new[] { (freeze, "job.test.line"), (letter, "job.test.careful"), ($"{waiting.JobId}", "job.test.once") }
        )
        {
            var brief = await communicate.RunAsync("dispatcher incident brief ID", ("ID", id));
            Assert.Contains($"Dispatcher has a problem with topic {scope} (pool test)", brief, StringComparison.Ordinal);
            Assert.Contains("To: owners testers", brief, StringComparison.Ordinal);
        }

        communicate.HasRunAll();
    }

    private static async Task<string> TopicIsFrozenAsync(Journey journey, DispatcherServer server, Producer billing)
    {
        var stop = new OnCall(journey, server, "Stop: freeze and unfreeze");
        var topic = ("job.exec.shell", "job.test.line");
        await stop.RunAsync("""dispatcher freeze --topic job.exec.shell --reason "disk full on the build hosts" --for 2h""", topic);
        var (kept, cancelled) = (AJob.On("job.test.line"), AJob.On("job.test.line"));
        await billing.PublishAsync(kept, cancelled);
        await stop.RunAsync("dispatcher jobs list --state running");
        Assert.Contains("job.test.line", await stop.RunAsync("dispatcher status"), StringComparison.Ordinal);
        Assert.Contains("disk full", await stop.RunAsync("dispatcher freeze list"), StringComparison.Ordinal);
        await server.InStateAsync(cancelled.JobId, "accepted");
        await stop.RunAsync("dispatcher jobs cancel ID", ("ID", $"{cancelled.JobId}"));
        await stop.RunAsync("""dispatcher unfreeze --topic job.exec.shell --reason "disks are cleaned" """.Trim(), topic);
        stop.HasRunAll();
        var list = (await server.SendAsync(HttpMethod.Get, "/api/freezes")).Body;
        return Assert.Single(list.GetProperty("past").EnumerateArray()).GetProperty("freeze_id").GetString()!;
    }

    /// <summary>Two runs are longer than the grace of the worker, which is 1 s here. Returns the dead letter of the one in doubt.</summary>
    private static async Task<string> WorkerIsIsolatedAsync(Journey journey, DispatcherServer server, Producer billing)
    {
        var isolate = new OnCall(journey, server, "Isolate a worker");
        var worker = await journey.CountingWorkerAsync(server);
        var (idempotent, careful) = (Sleeping("job.test.once"), Sleeping("job.test.careful"));
        await billing.PublishAsync(idempotent, careful);
        await server.InStateAsync(idempotent.JobId, "running");
        await server.InStateAsync(careful.JobId, "running");
        Assert.Contains($"{careful.JobId}", await isolate.RunAsync("dispatcher jobs list --state running"), StringComparison.Ordinal);
        Assert.Contains(
            "hosted/",
            await isolate.RunAsync("dispatcher jobs attempts ID", ("ID", $"{careful.JobId}")),
            StringComparison.Ordinal
        );
        var workers = await isolate.RunAsync("curl -H @<(auth) $DISPATCHER_URL/api/workers");
        Assert.Matches("worker-test.*hosted/", workers.ReplaceLineEndings(" "));

        Assert.Equal(0, await worker.StopAsync());
        isolate.HasRunAll();
        await server.InStateAsync(careful.JobId, "dead_lettered");
        await server.InStateAsync(idempotent.JobId, "retrying");
        var letter = Assert.Single(await server.DeadLettersAsync());
        Assert.Equal("in_doubt", letter.GetProperty("fault_class").GetString());
        await journey.CountingWorkerAsync(server);
        await server.InStateAsync(idempotent.JobId, "succeeded");
        return letter.GetProperty("dead_letter_id").GetString()!;
    }

    /// <summary>Returns the job whose run was lost, which waits for another worker.</summary>
    private static async Task<AJob> KeyIsIsolatedAsync(Journey journey, DispatcherServer server, Producer billing)
    {
        var isolate = new OnCall(journey, server, "Isolate a key");
        var job = Sleeping("job.test.once");
        await billing.PublishAsync(job);
        await server.InStateAsync(job.JobId, "running");
        Assert.Contains("worker-test", await isolate.RunAsync("dispatcher keys list"), StringComparison.Ordinal);
        var key = (await server.SendAsync(HttpMethod.Get, "/api/keys"))
            .Body.GetProperty("items")
            .EnumerateArray()
            .Single(one => one.GetProperty("subject").GetString() == "worker-test")
            .GetProperty("key_id")
            .GetString()!;

        await isolate.RunAsync("dispatcher keys revoke KEY_ID", ("KEY_ID", key));

        await Eventually.IsAsync(
            async () => (await server.TimelineAsync(job.JobId)).Contains("fenced"),
            () => "the run is lost\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );
        Assert.DoesNotContain($"{job.JobId}", await isolate.RunAsync("dispatcher jobs list --state running"), StringComparison.Ordinal);
        isolate.HasRunAll();
        return job;
    }

    private static async Task PrincipalIsIsolatedAsync(Journey journey, DispatcherServer server, AJob waiting)
    {
        var isolate = new OnCall(journey, server, "Isolate a principal");
        var name = journey.Name + "-producer";
        string[] create = ["identity", "create", name, "--kind", "producer", "--topic", "job.test.*"];
        var (code, output) = await CommandLineRun.OfAsync(
            isolate.Environment,
            [.. create, "--secrets", Path.Combine(journey.Folder, "identities")]
        );
        Assert.True(code == 0, output);
        var jobs = await isolate.RunAsync("dispatcher jobs list --principal NAME", ("NAME", "billing"));
        Assert.Contains($"{waiting.JobId}", jobs, StringComparison.Ordinal);
        await isolate.RunAsync([0, 1], "dispatcher identity check");

        await isolate.RunAsync("rabbitmqctl clear_permissions -p / USER", (" / ", $" {journey.Name} "), ("USER", name));
        await isolate.RunAsync("rabbitmqctl close_all_user_connections USER \"isolated\"", ("USER", name));
        await isolate.RunAsync("dispatcher identity revoke NAME", ("NAME", name));

        await isolate.RunAsync("dispatcher jobs cancel ID", ("ID", $"{waiting.JobId}"));
        Assert.DoesNotContain(name, await isolate.RunAsync("dispatcher identity list"), StringComparison.Ordinal);
        isolate.HasRunAll();
    }

    private static AJob Sleeping(string topic) => AJob.On(topic).With(new JsonObject { ["sleep_ms"] = 20_000 });

    private static IEnumerable<string> Made() =>
        PoolAlertJourneys.Alerts.Concat(FaultAlertJourneys.Alerts).Concat(ServerAlertJourneys.Alerts).Concat(BrokerAlertJourneys.Alerts);
}
