using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using Dispatcher.Benchmarks.Staging;
using Dispatcher.Contracts;

namespace Dispatcher.Benchmarks.Contestants;

/// <summary>The product: processes of <c>dispatcher serve</c>, and worker processes on the worker library.</summary>
internal sealed class OursContestant : RunningContestant
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromMinutes(1);

    private const string AdminKey = "benchmark-admin-key-0123456789";

    private readonly Stage _stage;
    private readonly OursSetup _setup;
    private readonly List<(string Role, ProgramProcess Process)> _processes = [];
    private readonly List<HttpClient> _clients = [];
    private long _since;

    private OursContestant(Stage stage, OursSetup setup) => (_stage, _setup) = (stage, setup);

    public override string Exchange => Exchanges.Jobs;

    public override IReadOnlyList<(string Role, ProgramProcess Process)> Processes => _processes;

    /// <summary>The server makes the text of its metrics anew every 300 ms.</summary>
    public override TimeSpan Poll { get; } = TimeSpan.FromMilliseconds(150);

    /// <summary>The HTTP side of the first server, as an admin.</summary>
    public override HttpClient? Http => _clients[0];

    public static async Task<RunningContestant> StartAsync(Stage stage, OursSetup setup, CancellationToken cancellationToken)
    {
        var running = new OursContestant(stage, setup);
        try
        {
            running._since = await StoredJobs.NowAsync(stage, cancellationToken);
            BenchPolicies.Write(PolicyFolder(stage), setup.Topics);
            await running.StartServersAsync(cancellationToken);
            await running.StartWorkersAsync(cancellationToken);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts one server without waiting for it.</summary>
    public static (ProgramProcess Process, HttpClient Client) Serve(Stage stage)
    {
        var address = $"http://127.0.0.1:{FreePort()}";
        var process = ProgramProcess.OfOutput(
            "dispatcher.dll",
            [
                "serve",
                "--policies",
                PolicyFolder(stage),
                "--audit",
                Path.Combine(stage.Servers.Folder, "audit-" + stage.DatabaseName),
                "--urls",
                address,
            ],
            ("DISPATCHER_API_KEY", AdminKey),
            ("DISPATCHER_POSTGRES", stage.Postgres),
            ("DISPATCHER_RABBITMQ", stage.BrokerAs(Stage.ServerUser).AbsoluteUri)
        );
        var client = new HttpClient
        {
            BaseAddress = new Uri(address),
            DefaultRequestHeaders = { Authorization = new AuthenticationHeaderValue("Bearer", AdminKey) },
        };
        return (process, client);
    }

    public static string PolicyFolder(Stage stage) => Path.Combine(stage.Folder, "policies");

    /// <summary>Waits until a server answers that it is ready.</summary>
    public static async Task ReadyAsync(ProgramProcess process, HttpClient client, TimeSpan pause, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await IsReadyAsync(client, cancellationToken))
        {
            process.CheckRuns();
            if (Stopwatch.GetElapsedTime(start) > LongestStart)
            {
                throw new TimeoutException($"The server is not ready after {LongestStart.TotalSeconds} s.\n{process.Log}");
            }

            await Task.Delay(pause, cancellationToken);
        }
    }

    public override string Topic(int number) => BenchPolicies.Topic(number % _setup.Topics);

    public override async Task<long> DoneAsync(CancellationToken cancellationToken) =>
        await MetricAsync("dispatcher_attempts_ended_total{how=\"succeeded\"", cancellationToken) ?? 0;

    public override async Task SettleAsync(long jobs, CancellationToken cancellationToken)
    {
        await WaitAsync(() => StoredJobs.OutboxIsEmptyAsync(_stage, cancellationToken), "the outbox is empty", cancellationToken);
        await WaitAsync(() => StoredJobs.IsSealedAsync(_stage, cancellationToken), "the timeline is sealed", cancellationToken);
        await StoredJobs.CheckSucceededAsync(_stage, _since, jobs, cancellationToken);
    }

    public override Task<DateTimeOffset?> LastEndAsync(CancellationToken cancellationToken) =>
        StoredJobs.LastEndAsync(_stage, cancellationToken);

    public override async Task<long?> AllocatedAsync(string role, CancellationToken cancellationToken) =>
        role == Server
            ? await MetricAsync("dotnet_gc_heap_total_allocated_bytes_total", cancellationToken)
            : await SumAsync(
                _processes.Where(one => one.Role == Worker).Select(one => one.Process),
                report => report.Allocated,
                cancellationToken
            );

    protected override void Release() => _clients.ForEach(client => client.Dispose());

    private async Task StartServersAsync(CancellationToken cancellationToken)
    {
        for (var i = 0; i < _setup.Processes; i++)
        {
            var (process, client) = Serve(_stage);
            _processes.Add((Server, process));
            _clients.Add(client);
            await ReadyAsync(process, client, TimeSpan.FromMilliseconds(100), cancellationToken);
        }
    }

    private async Task StartWorkersAsync(CancellationToken cancellationToken)
    {
        var key = await MakeKeyAsync(cancellationToken);
        for (var i = 0; i < _setup.Processes; i++)
        {
            var worker = ProgramProcess.Child([
                "worker",
                "--rabbitmq",
                _stage.BrokerAs(Stage.WorkerUser).AbsoluteUri,
                "--url",
                _clients[i].BaseAddress!.AbsoluteUri,
                "--key",
                key,
                "--postgres",
                _stage.Postgres,
                "--topics",
                _setup.Topics.ToString(CultureInfo.InvariantCulture),
                .. _setup.Concurrency is { } concurrency ? Option("--concurrency", concurrency) : [],
                .. ProgramProcess.Flag("--effect", _setup.Effect),
            ]);
            _processes.Add((Worker, worker));
            await worker.ReportAsync(cancellationToken);
        }
    }

    private async Task<string> MakeKeyAsync(CancellationToken cancellationToken)
    {
        using var answer = await _clients[0]
            .PostAsJsonAsync(
                "/api/keys",
                new
                {
                    subject = Stage.WorkerUser,
                    roles = new[] { "worker:" + BenchPolicies.Pool },
                    groups = Array.Empty<string>(),
                },
                cancellationToken
            );
        var body = await answer.Content.ReadAsStringAsync(cancellationToken);
        return answer.IsSuccessStatusCode
            ? JsonDocument.Parse(body).RootElement.GetProperty("key").GetString()!
            : throw new InvalidOperationException($"The server made no key: {body}");
    }

    /// <summary>The sum of a metric over the servers. Null: they do not have it.</summary>
    private async Task<long?> MetricAsync(string start, CancellationToken cancellationToken)
    {
        long? sum = null;
        foreach (var client in _clients)
        {
            var text = await client.GetStringAsync(new Uri("/metrics", UriKind.Relative), cancellationToken);
            foreach (var line in text.Split('\n').Where(line => line.StartsWith(start, StringComparison.Ordinal)))
            {
                var value = line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ') is [var first, ..] ? first : "";
                var number = line.Contains('}', StringComparison.Ordinal) ? value : line.Split(' ')[1];
                sum = (sum ?? 0) + (long)double.Parse(number, CultureInfo.InvariantCulture);
            }
        }

        return sum;
    }

    private static async Task<bool> IsReadyAsync(HttpClient client, CancellationToken cancellationToken)
    {
        try
        {
            using var answer = await client.GetAsync(new Uri("/health/ready", UriKind.Relative), cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static string[] Option(string name, int value) => [name, value.ToString(CultureInfo.InvariantCulture)];

    private static int FreePort()
    {
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
