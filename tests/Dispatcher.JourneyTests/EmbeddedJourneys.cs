using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The embedded server: one process, no broker, no database server. Needs nothing but this project's output.</summary>
public sealed class EmbeddedJourneys
{
    private const string Key = "embedded-journey-key-0123456789";

    [Fact]
    public async Task The_demo_shows_one_job_for_each_verdict_and_ends()
    {
        await using var demo = new Child("dispatcher.dll", new Dictionary<string, string>(), "demo", "--exit", "--json");

        Assert.Equal(0, await demo.EndAsync(TimeSpan.FromSeconds(60)));

        Assert.StartsWith("{", demo.Log, StringComparison.Ordinal);
        using var shown = JsonDocument.Parse(demo.Log);
        Assert.Equal(
            ["DENY none", "REQUIRE_APPROVAL held", "ALLOW_WITH_CONSTRAINTS succeeded", "ALLOW succeeded"],
            shown.RootElement.GetProperty("jobs").EnumerateArray().Select(job =>
                $"{job.GetProperty("decision").GetProperty("verdict").GetString()} {(job.GetProperty("job") is { ValueKind: JsonValueKind.Object } stored ? stored.GetProperty("state").GetString() : "none")}"));
    }

    [Fact]
    public async Task After_kills_in_the_middle_every_job_still_ends_once_and_a_second_server_is_turned_away()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        using var http = new HttpClient { BaseAddress = new Uri(address), DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) } };
        for (var kill = 0; kill < 3; kill++)
        {
            await using var server = await ServeAsync(data, address, http);
            await SubmitAsync(http, from: kill * 20, to: (kill + 1) * 20);
            await server.KillAsync();
        }

        await using var last = await ServeAsync(data, address, http);

        // A second one on the same data is turned away.
        await using var second = new Child("dispatcher.dll", new Dictionary<string, string>(), "serve", "--data", data, "--urls", $"http://127.0.0.1:{Servers.FreePort()}", "--policies", Policies);
        Assert.Equal(2, await second.EndAsync(TimeSpan.FromSeconds(30)));
        Assert.Contains("Another embedded server", second.Log, StringComparison.Ordinal);

        // Handed in again, the very same: answered as the first time, and nothing runs twice.
        await SubmitAsync(http, from: 0, to: 60);
        await Eventually.IsAsync(async () => await CountAsync(http, "succeeded") + await CountAsync(http, "dead_lettered") == 60, () => "all end\n" + last.Log, TimeSpan.FromSeconds(60));
        var letters = await http.GetFromJsonAsync<JsonElement>("/api/dead-letters?limit=500", TestContext.Current.CancellationToken);
        Assert.All(letters.GetProperty("items").EnumerateArray(), letter => Assert.Equal("in_doubt", letter.GetProperty("fault_class").GetString()));
        Assert.Equal(await CountAsync(http, "dead_lettered"), letters.GetProperty("items").GetArrayLength());
        Assert.Equal(0, await last.StopAsync());
        Directory.Delete(data, recursive: true);
    }

    private static string Policies => Path.Combine(AppContext.BaseDirectory, "policies");

    private static async Task<Child> ServeAsync(string data, string address, HttpClient http)
    {
        var server = new Child("dispatcher.dll", new Dictionary<string, string> { ["DISPATCHER_API_KEY"] = Key }, "serve", "--data", data, "--urls", address, "--policies", Policies);
        await Eventually.IsAsync(
            async () =>
            {
                try
                {
                    return (await http.GetAsync(new Uri("/health/ready", UriKind.Relative), TestContext.Current.CancellationToken)).IsSuccessStatusCode;
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            () => "the embedded server is ready\n" + server.Log,
            TimeSpan.FromSeconds(60));
        return server;
    }

    private static async Task SubmitAsync(HttpClient http, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            var job = new { topic = "job.exec.shell", labels = new { env = "dev" }, idempotency_key = $"job-{i}", payload = new { command = new[] { "echo", $"{i}" } } };
            var answer = await http.PostAsJsonAsync("/api/jobs", job, TestContext.Current.CancellationToken);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        }
    }

    private static async Task<int> CountAsync(HttpClient http, string state)
    {
        var jobs = (await http.GetFromJsonAsync<JsonElement>("/api/status", TestContext.Current.CancellationToken)).GetProperty("jobs");
        return jobs.TryGetProperty(state, out var count) ? count.GetInt32() : 0;
    }
}
