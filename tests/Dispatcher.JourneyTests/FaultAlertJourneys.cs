using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Attempts, messages and submissions fail on one server. Each problem fires its alert in a real Prometheus, and ends when the commands of
/// its entry in the runbook are run.
/// </summary>
public sealed class FaultAlertJourneys
{
    private const string FullQueue = "full";

    internal static IReadOnlyList<string> Alerts { get; } =
    [
        "DispatcherFaultRateHigh",
        "DispatcherCircuitBreakerOpen",
        "DispatcherOutboxParked",
        "DispatcherIntakeSlow",
        "DispatcherMessagesNewerVersion",
        "DispatcherMessagesUnreceivable",
    ];

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_fails_in_workers_messages_and_submissions_fires_and_ends()
    {
        await using var stage = await OnCallStage.BeginAsync();
        var (journey, address) = (stage.Journey, OnCallStage.FreeAddress());
        var broker = journey.BrokerAs(Journey.ServerUser);
        await using var gate = new TcpGate(broker.Port, BrokenFrame.Of("job.test.brisk"));
        var server = stage.Start(address, new UriBuilder(broker) { Port = gate.Port }.Uri);
        await stage.ScrapeAsync(address);
        await server.ReadyAsync();
        var worker = await journey.CountingWorkerAsync(server);
        var billing = await journey.ProducerAsync();

        // Until a first attempt has ended, the counter of the attempts does not exist, and the first burst would be no increase.
        await billing.PublishAsync(AJob.On("job.test.faulty").With(new JsonObject { ["fault"] = "terminal" }));
        await journey.SettledAsync(1);
        await journey.Records.DownstreamAsync(up: false);
        var failing = Enumerable.Range(0, 40).Select(_ => AJob.On("job.test.downstream").With(Fault("downstream"))).ToList();
        await billing.PublishAsync(failing);
        await FillAQueueAsync(journey, server);

        var parked = await stage.FiresAsync("DispatcherOutboxParked", server);
        Assert.Contains(
            Exchanges.Events,
            await parked.RunAsync("select message_id, exchange, routing_key, last_error from outbox where parked"),
            StringComparison.Ordinal
        );
        await journey.ChangeBrokerAsync(channel => channel.QueueDeleteAsync(FullQueue, cancellationToken: Now));
        await parked.RunAsync("update outbox set parked = false, next_at = 0 where parked");

        var breaker = await stage.FiresAsync("DispatcherCircuitBreakerOpen", server);
        Assert.Contains("job.test.downstream", await breaker.RunAsync("dispatcher jobs list --state retrying"), StringComparison.Ordinal);
        Assert.Contains(
            "http:503",
            await breaker.RunAsync("dispatcher jobs attempts ID", ("ID", $"{failing[0].JobId}")),
            StringComparison.Ordinal
        );
        await stage.StillFiresAsync("DispatcherCircuitBreakerOpen");
        await journey.Records.DownstreamAsync(up: true);
        await journey.SettledAsync(failing.Count + 1, seconds: 60);

        var rate = await FailingWorkerIsIsolatedAsync(stage, server, billing, worker);
        await stage.IsOverAsync("DispatcherOutboxParked", parked);
        await stage.IsOverAsync("DispatcherCircuitBreakerOpen", breaker);
        await NewerSenderIsStoppedAsync(stage, server, billing);
        await UnreceivableIsStoppedAsync(stage, server);
        await SlowIntakeIsEndedAsync(stage, server);
        await stage.IsOverAsync("DispatcherFaultRateHigh", rate);
        await stage.EndsQuietAsync(Alerts);
    }

    /// <summary>
    /// A queue that accepts no message has the broker refuse an event. The server would park it after a day of attempts, so all but the
    /// last one count as made.
    /// </summary>
    private static async Task FillAQueueAsync(Journey journey, DispatcherServer server)
    {
        await journey.ChangeBrokerAsync(async channel =>
        {
            var full = new Dictionary<string, object?> { ["x-max-length"] = 0, ["x-overflow"] = "reject-publish" };
            await channel.QueueDeclareAsync(FullQueue, durable: true, exclusive: false, autoDelete: false, full, cancellationToken: Now);
            await channel.QueueBindAsync(FullQueue, Exchanges.Events, "*.ci.#", cancellationToken: Now);
        });
        var ci = await server.MakeKeyAsync("ci", "producer");
        await server.SubmitAsync(AJob.On("job.test.denied").Body(), ci);
        await Eventually.IsAsync(
            async () => await journey.Records.NearlyParkAsync() > 0,
            () => "the broker refuses the event\n" + server.Log,
            TimeSpan.FromSeconds(20)
        );
    }

    /// <summary>Jobs fail on a worker until its key is revoked. Another one takes its place.</summary>
    private static async Task<OnCall> FailingWorkerIsIsolatedAsync(
        OnCallStage stage,
        DispatcherServer server,
        Producer billing,
        RunningProgram worker
    )
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Now);
        var failing = PublishUntilAsync(billing, () => AJob.On("job.test.faulty").With(Fault("terminal")).Parcel(), count: 10, stop.Token);
        var rate = await stage.FiresAsync("DispatcherFaultRateHigh", server);
        await rate.RunAsync("dispatcher dead-letters list");
        var letter = (await server.DeadLettersAsync())[0].GetProperty("job_id").GetString()!;
        Assert.Contains("hosted/", await rate.RunAsync("dispatcher jobs attempts ID", ("ID", letter)), StringComparison.Ordinal);
        await stage.StillFiresAsync("DispatcherFaultRateHigh");
        await rate.RunAsync("dispatcher keys revoke KEY_ID", ("KEY_ID", await KeyIdAsync(server, "worker-test")));
        await stop.CancelAsync();
        await failing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        await worker.StopAsync();
        stage.Journey.Keys.Remove("worker-test");
        await stage.Journey.CountingWorkerAsync(server);
        return rate;
    }

    /// <summary>
    /// A network between broker and server damages each first delivery of a producer. The producer goes on publishing until the alert is
    /// over, so that only the commands can end it. The user is of this journey alone, because its connections are closed.
    /// </summary>
    private static async Task UnreceivableIsStoppedAsync(OnCallStage stage, DispatcherServer server)
    {
        var (vhost, user) = (stage.Journey.Name, stage.Journey.Name + "-producer");
        await stage.Journey.MakeProducerAsync(user);
        var producer = await stage.Journey.ProducerAsync(user);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Now);
        var publishing = PublishUntilAsync(producer, () => AJob.On("job.test.brisk").Parcel(), count: 1, stop.Token);

        var unreceivable = await stage.FiresAsync("DispatcherMessagesUnreceivable", server);
        await stage.StillFiresAsync("DispatcherMessagesUnreceivable");
        await unreceivable.RunAsync("rabbitmqctl clear_permissions -p / <user>", (" / ", $" {vhost} "), ("<user>", user));
        await unreceivable.RunAsync("rabbitmqctl close_all_user_connections <user> \"isolated\"", ("<user>", user));
        await stage.IsOverAsync("DispatcherMessagesUnreceivable", unreceivable);
        await stop.CancelAsync();
        await publishing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Servers.DropUserAsync(user);
    }

    /// <summary>A producer that was upgraded before the servers goes back to its earlier version.</summary>
    private static async Task NewerSenderIsStoppedAsync(OnCallStage stage, DispatcherServer server, Producer billing)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Now);
        var newer = Encoding.UTF8.GetBytes("""{"v": 2, "topic": "job.test.once"}""");
        var publishing = PublishUntilAsync(
            billing,
            () => new Parcel("job.test.once", newer, $"{Guid.CreateVersion7()}"),
            count: 1,
            stop.Token
        );

        var newerVersion = await stage.FiresAsync("DispatcherMessagesNewerVersion", server);
        Assert.Contains("version=", await newerVersion.RunAsync("dispatcher status"), StringComparison.Ordinal);
        await stage.StillFiresAsync("DispatcherMessagesNewerVersion");
        await stop.CancelAsync();
        await publishing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await stage.IsOverAsync("DispatcherMessagesNewerVersion", newerVersion);
    }

    /// <summary>A report takes a lock of the timeline again and again.</summary>
    private static async Task SlowIntakeIsEndedAsync(OnCallStage stage, DispatcherServer server)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Now);
        var ci = await server.MakeKeyAsync("steady", "producer");
        var submitting = Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SubmitUntilAsync(server, ci, stop.Token)));
        await using var connection = new NpgsqlConnection(
            new NpgsqlConnectionStringBuilder(stage.Journey.Postgres) { Pooling = false }.ConnectionString
        );
        await connection.OpenAsync(Now);
        var report = ReportAsync(connection);

        var slow = await stage.FiresAsync("DispatcherIntakeSlow", server);
        var activity = await slow.RunAsync("select pid, state, xact_start, query from pg_stat_activity order by xact_start");
        var process = Assert.Single(activity.Split('\n').Select(line => line.Split(" | ")[0]), pid => pid == $"{connection.ProcessID}");
        await stage.StillFiresAsync("DispatcherIntakeSlow");
        await slow.RunAsync("select pg_terminate_backend(PID)", ("PID", process));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => report);
        await stage.IsOverAsync("DispatcherIntakeSlow", slow);
        await stop.CancelAsync();
        await submitting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private static async Task ReportAsync(NpgsqlConnection connection)
    {
        while (true)
        {
            await using var command = new NpgsqlCommand(
                "begin; lock table timeline in exclusive mode; select pg_sleep(1.6); commit; select pg_sleep(0.1)",
                connection
            );
            await command.ExecuteNonQueryAsync(Now);
        }
    }

    private static async Task SubmitUntilAsync(DispatcherServer server, string key, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            Assert.Equal(HttpStatusCode.Accepted, (await server.SubmitAsync(AJob.On("job.test.once").Body(), key)).Status);
            await Task.Delay(TimeSpan.FromMilliseconds(50), stop);
        }
    }

    private static async Task PublishUntilAsync(Producer producer, Func<Parcel> next, int count, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await producer.PublishAsync(Enumerable.Range(0, count).Select(_ => next())).WaitAsync(stop);
            await Task.Delay(TimeSpan.FromMilliseconds(500), stop);
        }
    }

    private static async Task<string> KeyIdAsync(DispatcherServer server, string subject) =>
        (await server.SendAsync(HttpMethod.Get, "/api/keys"))
            .Body.GetProperty("items")
            .EnumerateArray()
            .Single(key => key.GetProperty("subject").GetString() == subject)
            .GetProperty("key_id")
            .GetString()!;

    private static JsonObject Fault(string fault) => new() { ["fault"] = fault };
}
