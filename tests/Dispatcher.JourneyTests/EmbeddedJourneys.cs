using System.Net;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The embedded server: one process, no broker, no database server. Needs nothing but this project's output.</summary>
public sealed class EmbeddedJourneys
{
    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Demo_shows_one_job_for_each_verdict_and_ends()
    {
        await using var demo = ChildProcess.OfOutput("dispatcher.dll", new Dictionary<string, string>(), "demo", "--exit", "--json");

        Assert.Equal(0, await demo.EndAsync(TimeSpan.FromSeconds(60)));

        using var shown = JsonDocument.Parse(demo.Output);
        Assert.Equal(
            ["DENY none", "REQUIRE_APPROVAL held", "ALLOW_WITH_CONSTRAINTS succeeded", "ALLOW succeeded"],
            shown.RootElement.GetProperty("jobs").EnumerateArray().Select(VerdictAndState)
        );
    }

    [Fact]
    public async Task Demo_ends_at_a_signal_while_its_job_waits_for_a_person()
    {
        await using var demo = ChildProcess.OfOutput("dispatcher.dll", new Dictionary<string, string>(), "demo");
        await Eventually.IsAsync(
            () => demo.Log.Contains("Timeline of the deployment", StringComparison.Ordinal),
            "the job waits",
            seconds: 60
        );

        Assert.Equal(0, await demo.StopAsync());
    }

    [Fact]
    public async Task Each_job_ends_once_after_kills_and_a_second_server_on_the_same_data_is_refused()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        for (var kill = 0; kill < 3; kill++)
        {
            await using var server = await EmbeddedServer.StartAsync(data);
            await server.SubmitAsync(from: kill * 20, to: (kill + 1) * 20);
            await server.KillAsync();
        }

        await EmbeddedServer.EndRunsAsync(data);
        await using var last = await EmbeddedServer.StartAsync(data);
        await using var second = ChildProcess.OfOutput(
            "dispatcher.dll",
            new Dictionary<string, string>(),
            "serve",
            "--data",
            data,
            "--urls",
            $"http://127.0.0.1:{Servers.FreePort()}",
            "--policies",
            EmbeddedServer.Policies
        );
        Assert.Equal(2, await second.EndAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("Another embedded server", second.Log, StringComparison.Ordinal);

        // The same submissions again get the same answers, and no job runs twice.
        await last.SubmitAsync(from: 0, to: 60);
        await Eventually.IsAsync(
            async () => await last.CountAsync("succeeded") + await last.CountAsync("dead_lettered") == 60,
            () => "all end\n" + last.Log,
            TimeSpan.FromSeconds(60)
        );
        var letters = await last.Http.GetFromJsonAsync<JsonElement>("/api/dead-letters?limit=500", Now);
        Assert.All(
            letters.GetProperty("items").EnumerateArray(),
            letter => Assert.Equal("in_doubt", letter.GetProperty("fault_class").GetString())
        );
        Assert.Equal(await last.CountAsync("dead_lettered"), letters.GetProperty("items").GetArrayLength());
        Assert.Equal(0, await last.StopAsync());
        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task Embedded_worker_deploys_by_the_recipes()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var recipes = Path.Combine(data, "recipes.json");
        await File.WriteAllTextAsync(
            recipes,
            $$$"""{"web": {"Env": "dev", "Command": ["echo", "{version}"], "WorkingFolder": "{{{data}}}"}}""",
            Now
        );
        await using var server = await EmbeddedServer.StartAsync(data, "--recipes", recipes);
        var job = new
        {
            topic = "job.deploy.apply",
            labels = new { env = "dev" },
            payload = new { recipe = "web", version = "1.2.3" },
        };

        using var answer = await server.Http.PostAsJsonAsync("/api/jobs", job, Now);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await Eventually.IsAsync(
            async () => await server.CountAsync("succeeded") == 1,
            () => "the job succeeds\n" + server.Log,
            TimeSpan.FromSeconds(30)
        );
        await server.KillAsync();
        Directory.Delete(data, recursive: true);
    }

    private static string VerdictAndState(JsonElement job)
    {
        var verdict = job.GetProperty("decision").GetProperty("verdict").GetString();
        var stored = job.GetProperty("job");
        return $"{verdict} {(stored.ValueKind == JsonValueKind.Object ? stored.GetProperty("state").GetString() : "none")}";
    }
}
