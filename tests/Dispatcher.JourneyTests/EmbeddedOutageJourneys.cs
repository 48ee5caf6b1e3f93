using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The embedded server's file can grow no more, as on a full disk.</summary>
public sealed class EmbeddedOutageJourneys
{
    private const int MostKibibytes = 1_024;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_on_a_full_disk_is_not_ready_and_answers_a_submit_in_time()
    {
        var data = Directory.CreateTempSubdirectory("embedded-journey-").FullName;
        var address = $"http://127.0.0.1:{Servers.FreePort()}";
        using var http = new HttpClient
        {
            BaseAddress = new Uri(address),
            Timeout = TimeSpan.FromSeconds(10),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", EmbeddedServer.Key) },
        };

        // A limit on the size of files fails a write as a full disk does. The runtime's own memory files would meet it too.
        await using var server = new ChildProcess(
            new Dictionary<string, string> { ["DISPATCHER_API_KEY"] = EmbeddedServer.Key, ["DOTNET_EnableWriteXorExecute"] = "0" },
            "bash",
            [
                "-c",
                $"trap '' XFSZ; ulimit -f {MostKibibytes}; exec dotnet \"$@\"",
                "bash",
                Path.Combine(AppContext.BaseDirectory, "dispatcher.dll"),
                "serve",
                "--no-worker",
                "--data",
                data,
                "--urls",
                address,
                "--policies",
                Path.Combine(AppContext.BaseDirectory, "policies"),
            ]
        );
        await Eventually.IsAsync(async () => await StoreAsync(http) == "ok", () => "it is ready\n" + server.Log, TimeSpan.FromSeconds(60));

        HttpStatusCode status;
        var (taken, i) = ("", 0);
        do
        {
            var job = new
            {
                topic = "job.exec.shell",
                labels = new { env = "dev" },
                idempotency_key = $"job-{++i}",
                payload = new { command = new[] { "echo", new string('x', 20_000) } },
            };
            using var answer = await http.PostAsJsonAsync("/api/jobs", job, Now);
            status = answer.StatusCode;
            taken =
                status == HttpStatusCode.ServiceUnavailable
                    ? (await answer.Content.ReadFromJsonAsync<JsonElement>(Now)).GetProperty("taken").GetString()
                    : "";
        } while (status == HttpStatusCode.Accepted && i < 500);

        Assert.True(status == HttpStatusCode.ServiceUnavailable, $"job {i}: {status}\n{server.Log}");
        Assert.Equal("no", taken);
        await Eventually.IsAsync(
            async () => await StoreAsync(http) == "failing",
            () => "it is not ready\n" + server.Log,
            TimeSpan.FromSeconds(10)
        );
        Assert.Single(server.Log.Split('\n'), line => line.Contains("The database does not take writes", StringComparison.Ordinal));
        await server.KillAsync();
        Directory.Delete(data, recursive: true);
    }

    /// <summary>The check of the store in the readiness; null while the server does not answer.</summary>
    private static async Task<string?> StoreAsync(HttpClient http)
    {
        try
        {
            using var answer = await http.GetAsync(new Uri("/health/ready", UriKind.Relative), Now);
            return (await answer.Content.ReadFromJsonAsync<JsonElement>(Now)).GetProperty("checks").GetProperty("store").GetString();
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
