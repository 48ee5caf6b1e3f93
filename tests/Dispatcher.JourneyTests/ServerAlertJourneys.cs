using System.Net;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Servers, their bundle and their topology fail. Each problem fires its alert in a real Prometheus, and ends when the commands of its
/// entry in the runbook are run.
/// </summary>
public sealed class ServerAlertJourneys
{
    internal static IReadOnlyList<string> Alerts { get; } =
    [
        "DispatcherNoBundle",
        "DispatcherPolicyFolderBroken",
        "DispatcherNoServerReady",
        "DispatcherClockOff",
        "DispatcherNotReady",
        "DispatcherBundlesDiffer",
        "DispatcherDown",
        "DispatcherTopologyWrong",
        "DispatcherUnroutedWaiting",
    ];

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_stops_servers_fires_and_ends()
    {
        await using var stage = await OnCallStage.BeginAsync();
        var journey = stage.Journey;
        // A schema before that of PostgreSQL has the clock of the database be 1.5 s ahead, for the server that looks there.
        await ClockAsync(journey, "create schema off; create table off.clock (seconds float8); insert into off.clock values (1.5)");
        await ClockAsync(
            journey,
            """
            create function off.clock_timestamp() returns timestamptz language sql as
                $$ select pg_catalog.clock_timestamp() + seconds * interval '1 s' from off.clock $$;
            grant usage on schema off to public; grant select on off.clock to public
            """
        );
        var (first, second) = (OnCallStage.FreeAddress(), OnCallStage.FreeAddress());
        var gate = journey.GateToDatabase();
        journey.Policies.Replace("topics.yaml", "version: v1\ntopics: [\n");

        // Only the second one reaches the database through the gate.
        var server = stage.Start(first, postgres: Direct(journey));
        var behind = stage.Start(second, postgres: journey.ServePostgres + ";Search Path=off,pg_catalog,public");
        await stage.ScrapeAsync(first, second);
        await AnswersAsync(server);
        await AnswersAsync(behind);

        await BundleIsRepairedAsync(stage, server);
        await ClockIsRepairedAsync(stage, server);
        await ServerBehindIsRestartedAsync(stage, server, behind, gate);
        await TopologyIsRepairedAsync(stage, server);
        await stage.EndsQuietAsync(Alerts);
    }

    private static async Task BundleIsRepairedAsync(OnCallStage stage, ServerProcess server)
    {
        var folder = stage.Journey.Policies.Folder;
        var none = await stage.FiresAsync("DispatcherNoServerReady", server);
        Assert.Contains("no readable bundle", await none.RunAsync("dispatcher status"), StringComparison.Ordinal);
        Assert.Contains(Journey.ServerUser, await none.RunAsync("rabbitmqctl list_users"), StringComparison.Ordinal);
        var broken = await stage.FiresAsync("DispatcherPolicyFolderBroken", server);
        Assert.Contains("topics.yaml", await broken.RunAsync([1], "dispatcher policy status"), StringComparison.Ordinal);
        var bundle = await stage.FiresAsync("DispatcherNoBundle", server);
        await bundle.RunAsync([1], "dispatcher policy status");
        await bundle.RunAsync([1], "dispatcher policy lint ./policies", ("./policies", folder));

        stage.Journey.Policies.Write();
        await bundle.RunAsync("dispatcher policy lint ./policies", ("./policies", folder));
        await broken.RunAsync("dispatcher policy lint ./policies", ("./policies", folder));
        await broken.RunAsync("dispatcher policy test ./policies", ("./policies", folder));
        await server.ReadyAsync();
        await bundle.RunAsync("dispatcher policy activate HASH", ("HASH", await stage.Records.ActiveBundleAsync()));
        await bundle.RunAsync("dispatcher policy unpin");
        Assert.False((await server.PoliciesAsync()).GetProperty("in_force").GetProperty("pinned").GetBoolean());
        await stage.IsOverAsync("DispatcherNoBundle", bundle);
        await stage.IsOverAsync("DispatcherPolicyFolderBroken", broken);
        await stage.IsOverAsync("DispatcherNoServerReady", none);

        // The clock of the second server is off, so the status has a problem all the same.
        var (_, status) = await CommandLineRun.OfAsync(none.Environment, "status", "--json");
        Assert.True(JsonDocument.Parse(status).RootElement.GetProperty("ready").GetBoolean(), status);
    }

    private static async Task ClockIsRepairedAsync(OnCallStage stage, ServerProcess server)
    {
        var clock = await stage.FiresAsync("DispatcherClockOff", server);
        await ClockAsync(stage.Journey, "update off.clock set seconds = 0");
        Assert.Matches("check store +ok", await clock.RunAsync("dispatcher status"));
        await stage.IsOverAsync("DispatcherClockOff", clock);
    }

    /// <summary>
    /// The second server loses its database, so that it does not load the new bundle. Then it hangs and is started again.
    /// </summary>
    private static async Task ServerBehindIsRestartedAsync(OnCallStage stage, ServerProcess server, ServerProcess behind, TcpGate gate)
    {
        gate.Cut();
        var before = await stage.Records.ActiveBundleAsync();
        stage.Journey.Policies.Write("  - { id: stop, match: { topic: job.test.line }, decision: DENY, reason: stop at once }\n");
        var unready = await stage.FiresAsync("DispatcherNotReady", server);
        Assert.Contains(
            "check store",
            await unready.RunAsync("dispatcher status --url http://that-server:8080", ("http://that-server:8080", behind.Address)),
            StringComparison.Ordinal
        );
        var differ = await stage.FiresAsync("DispatcherBundlesDiffer", server);
        Assert.Contains(before[..8], await differ.RunAsync("dispatcher policy status"), StringComparison.Ordinal);

        behind.Freeze();
        var down = await stage.FiresAsync("DispatcherDown", server);
        await down.RunAsync("curl $DISPATCHER_URL/health/live");
        await behind.KillAsync();
        gate.Open();
        var again = stage.Start(behind.Address, postgres: stage.Journey.ServePostgres);
        await again.ReadyAsync();
        await stage.IsOverAsync("DispatcherDown", down);
        await stage.IsOverAsync("DispatcherNotReady", unready);
        await stage.IsOverAsync("DispatcherBundlesDiffer", differ);
    }

    /// <summary>
    /// Somebody declares an exchange in another way and removes a binding, while the servers cannot take in what the binding does not
    /// deliver.
    /// </summary>
    private static async Task TopologyIsRepairedAsync(OnCallStage stage, ServerProcess server)
    {
        var journey = stage.Journey;
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once");
        await journey.DatabaseAsync(isThere: false);
        await journey.ChangeBrokerAsync(async channel =>
        {
            await channel.ExchangeDeleteAsync(Exchanges.Work, cancellationToken: Now);
            await channel.ExchangeDeclareAsync(Exchanges.Work, ExchangeType.Fanout, durable: true, cancellationToken: Now);
        });
        await PublishUnroutedAsync(journey, billing, job);

        var unrouted = await stage.FiresAsync("DispatcherUnroutedWaiting", server);
        await unrouted.RunAsync("dispatcher status");
        await journey.DatabaseAsync(isThere: true);
        var topology = await stage.FiresAsync("DispatcherTopologyWrong", server);
        await Eventually.IsAsync(
            async () => (await topology.RunAsync("dispatcher status")).Contains("dispatcher.work", StringComparison.Ordinal),
            () => "the status names the exchange\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );
        Assert.Contains(
            "All queues have the arguments",
            await topology.RunAsync("dispatcher queues migrate --dry-run"),
            StringComparison.Ordinal
        );
        await journey.ChangeBrokerAsync(channel => channel.ExchangeDeleteAsync(Exchanges.Work, cancellationToken: Now));
        await stage.IsOverAsync("DispatcherTopologyWrong", topology);
        await stage.IsOverAsync("DispatcherUnroutedWaiting", unrouted);
        await Eventually.IsAsync(() => billing.Decision(job) is not null, "the job is taken in\n" + server.Log);

        // No worker serves its pool, which is another alert.
        Assert.Equal(HttpStatusCode.Accepted, (await server.CancelAsync(job.JobId)).Status);
    }

    /// <summary>The servers declare the binding again within seconds, so the job is published until one copy has missed it.</summary>
    private static async Task PublishUnroutedAsync(Journey journey, Producer billing, AJob job) =>
        await Eventually.IsAsync(
            async () =>
            {
                await journey.ChangeBrokerAsync(channel =>
                    channel.QueueUnbindAsync("dispatcher.server.intake", Exchanges.Jobs, "#", cancellationToken: Now)
                );
                await billing.PublishAsync(job);
                return (await journey.QueueAsync("dispatcher.unrouted")).Messages > 0;
            },
            () => "a job takes the way through dispatcher.unrouted\n" + journey.Logs(),
            TimeSpan.FromSeconds(20)
        );

    private static Task AnswersAsync(ServerProcess server) =>
        Eventually.IsAsync(
            async () => await server.ReadinessAsync() is not null,
            () => "it answers\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );

    private static string Direct(Journey journey) =>
        new NpgsqlConnectionStringBuilder(journey.Postgres) { Username = PostgresTemplate.ServeRole }.ConnectionString;

    private static async Task ClockAsync(Journey journey, string sql)
    {
#pragma warning disable CA2100 // A statement written in this file.
        await using var command = journey.Database.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Now);
    }
}
