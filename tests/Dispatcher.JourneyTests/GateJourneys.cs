using System.Net;
using Dispatcher.JourneyTests.Staging;
using Npgsql;

namespace Dispatcher.JourneyTests;

/// <summary>The checklist's own script, unchanged, stops a promotion without a person.</summary>
public sealed class GateJourneys
{
    private const string Unapproved = "BLOCK: unapproved high-risk action detected";

    [Fact]
    public async Task Gate_script_passes_a_healthy_server_and_blocks_any_other()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await SaysAsync(dispatcher, Unapproved);

        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once");
        await billing.PublishAsync(job);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        await AsAsync(journey, "update jobs set created_at = finished_at - 100000");
        await SaysAsync(dispatcher, "PASS: promote canary step");
        Assert.Equal((1, Unapproved), await CheckAsync(dispatcher.Address + "/"));
        Assert.Equal((1, Unapproved), await CheckAsync(dispatcher.Address + "/api"));
        await EachUnknownPathBlocksAsync(dispatcher);
        await IsSealedAsync(journey, dispatcher);

        await AsAsync(journey, "update jobs set created_at = finished_at - 1200001");
        await SaysAsync(dispatcher, "BLOCK: P95 latency above threshold");
        await AsAsync(journey, "update jobs set created_at = finished_at - 100000, state = 'dead_lettered'");
        await SaysAsync(dispatcher, "BLOCK: success rate below 99%");
        await AsAsync(journey, "update jobs set state = 'succeeded'");
        await SaysAsync(dispatcher, "PASS: promote canary step");
        await AsAsync(
            journey,
            """
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            select job_id, at, kind, attempt, actor, convert_to('{"verdict":"REQUIRE_APPROVAL","policy_hash":"p"}', 'UTF8')
            from timeline where kind = 'dispatched'
            """
        );
        await SaysAsync(dispatcher, Unapproved);

        await using (var server = NpgsqlDataSource.Create(Servers.Postgres("postgres")))
        await using (var drop = server.CreateCommand($"drop database \"{journey.Name}\" with (force)"))
        {
            await drop.ExecuteNonQueryAsync(Now);
        }

        await SaysAsync(dispatcher, Unapproved);

        // The key cannot be looked up now, and the route does not need it.
        using var answer = await dispatcher.Client("nobody").GetAsync(new Uri("/metrics/success-rate?window=11m", UriKind.Relative), Now);
        Assert.Equal(
            (HttpStatusCode.OK, "0", "true"),
            (answer.StatusCode, await answer.Content.ReadAsStringAsync(Now), answer.Headers.GetValues("Dispatcher-No-Data").Single())
        );
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>A number for each path below <c>metrics</c> that has none, and never an error page.</summary>
    private static async Task EachUnknownPathBlocksAsync(DispatcherServer dispatcher)
    {
        using var http = new HttpClient();
        foreach (
            var (path, number) in new[]
            {
                ("//metrics/success-rate", "0"),
                ("/metrics//success-rate", "0"),
                ("/metrics/succes-rate", "0"),
                ("/metrics/v1/success-rate", "0"),
                ("/metrics/high-risk-unaproved", "1"),
                ("/api/metrics/p95-latency-ms", "2147483647"),
                ("/Metrics/latency", "2147483647"),
                ("/metrics/%0A", "2147483647"),
            }
        )
        {
            using var answer = await http.GetAsync(new Uri($"{dispatcher.Address}{path}?window=10m"), Now);
            Assert.Equal((path, HttpStatusCode.OK, number), (path, answer.StatusCode, await answer.Content.ReadAsStringAsync(Now)));
            Assert.StartsWith(
                "there is no gate metric at ",
                answer.Headers.GetValues("Dispatcher-No-Data-Reason").Single(),
                StringComparison.Ordinal
            );
        }
    }

    /// <summary>The story so far is sealed and signed, and the audit folder is enough to check it.</summary>
    private static async Task IsSealedAsync(Journey journey, DispatcherServer dispatcher)
    {
        await Eventually.IsAsync(
            async () =>
                (await dispatcher.SendAsync(HttpMethod.Get, "/api/audit")).Body is var audit
                && audit.GetProperty("size").GetInt64() >= 5
                && audit.GetProperty("unsealed").GetInt64() == 0,
            () => "the story is sealed\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );
        var (code, output) = await CommandLineRun.VerifyAuditAsync(journey);
        Assert.True(code == 0, output);
        Assert.Contains("signatures checked", output, StringComparison.Ordinal);
    }

    private static async Task AsAsync(Journey journey, string sql)
    {
#pragma warning disable CA2100 // Texts of this test.
        await using var command = journey.Database.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(Now);
    }

    /// <summary>Answers live for some seconds.</summary>
    private static async Task SaysAsync(DispatcherServer dispatcher, string line)
    {
        var (code, output) = (-1, "");
        await Eventually.IsAsync(
            async () =>
            {
                (code, output) = await CheckAsync(dispatcher.Address);
                return output == line;
            },
            () => $"the script says \"{line}\", not \"{output}\"\n{dispatcher.Log}",
            TimeSpan.FromSeconds(20)
        );
        Assert.Equal(line.StartsWith("PASS", StringComparison.Ordinal) ? 0 : 1, code);
    }

    private static async Task<(int Code, string Output)> CheckAsync(string address)
    {
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(root.FullName, "Dispatcher.sln")))
        {
            root = root.Parent!;
        }

        await using var script = new ChildProcess(
            new Dictionary<string, string> { ["API"] = address },
            "bash",
            [Path.Combine(root.FullName, "ops", "gate-check.sh")]
        );
        return (await script.EndAsync(TimeSpan.FromSeconds(30)), script.Output.Trim());
    }
}
