using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Dispatcher.Base;
using Microsoft.Data.Sqlite;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>An embedded server as a process: no broker, no database server, and the reference worker inside.</summary>
internal sealed class EmbeddedServer : IAsyncDisposable
{
    public const string Key = "embedded-journey-key-0123456789";

    private readonly ChildProcess _process;

    private EmbeddedServer(string data, string[] more)
    {
        Address = $"http://127.0.0.1:{Servers.FreePort()}";
        Http = new HttpClient
        {
            BaseAddress = new Uri(Address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", Key) },
        };

        // Arguments that ask for an embedded server go before the servers that the environment names.
        _process = ChildProcess.OfOutput(
            "dispatcher.dll",
            new Dictionary<string, string>
            {
                ["DISPATCHER_API_KEY"] = Key,
                ["DISPATCHER_RABBITMQ"] = "amqp://nobody:none@127.0.0.1:1/",
                ["DISPATCHER_POSTGRES"] = "Host=127.0.0.1;Port=1",
            },
            ["serve", "--data", data, "--urls", Address, "--policies", Policies, .. more]
        );
    }

    /// <summary>The shipped policies.</summary>
    public static string Policies => Path.Combine(AppContext.BaseDirectory, "policies");

    public string Address { get; }

    /// <summary>Its HTTP side as an admin sees it.</summary>
    public HttpClient Http { get; }

    public string Log => _process.Log;

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>Starts a server on a data folder, with more options, and waits until it is ready.</summary>
    public static async Task<EmbeddedServer> StartAsync(string data, params string[] more)
    {
        var server = new EmbeddedServer(data, more);
        await Eventually.IsAsync(server.IsReadyAsync, () => "the embedded server is ready\n" + server.Log, TimeSpan.FromSeconds(60));
        return server;
    }

    /// <summary>Changes the database of a stopped server: the limit of each run under way has passed.</summary>
    public static async Task EndRunsAsync(string data)
    {
        await using var database = new SqliteConnection($"Data Source={EmbeddedFiles.Database(data)};Pooling=False");
        await database.OpenAsync(Now);
        await using var update = database.CreateCommand();
        update.CommandText = "update jobs set run_until = run_until - 600000000, due_at = 0 where state = 'running'";
        await update.ExecuteNonQueryAsync(Now);
    }

    public Task KillAsync() => _process.KillAsync();

    public Task<int> StopAsync() => _process.StopAsync();

    /// <summary>Submits numbered jobs of the shell worker. The same number is the same job.</summary>
    public async Task SubmitAsync(int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            var job = new
            {
                topic = "job.exec.shell",
                labels = new { env = "dev" },
                idempotency_key = $"job-{i}",
                payload = new { command = new[] { "echo", $"{i}" } },
            };
            using var answer = await Http.PostAsJsonAsync("/api/jobs", job, Now);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        }
    }

    /// <summary>How many jobs are in a state.</summary>
    public async Task<int> CountAsync(string state)
    {
        var jobs = (await Http.GetFromJsonAsync<JsonElement>("/api/status", Now)).GetProperty("jobs");
        return jobs.TryGetProperty(state, out var count) ? count.GetInt32() : 0;
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        Http.Dispose();
    }

    private async Task<bool> IsReadyAsync()
    {
        try
        {
            using var answer = await Http.GetAsync(new Uri("/health/ready", UriKind.Relative), Now);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
