using System.Text.Json;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>An alert that Prometheus reports.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Labels">All labels, as JSON.</param>
internal sealed record FiringAlert(string Name, string Labels);

/// <summary>
/// A real Prometheus that scrapes servers each second and evaluates the shipped rules with the times of <see cref="ShortAlerts"/>. A test
/// is skipped, visibly, where the package is missing; <c>ops/packages.sh</c> installs it.
/// </summary>
internal sealed class Prometheus : IAsyncDisposable
{
    private const string Program = "/usr/bin/prometheus";

    private readonly HttpClient _client;
    private readonly ChildProcess _process;

    private Prometheus(string folder, int port)
    {
        _client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        _process = new ChildProcess(
            new Dictionary<string, string>(),
            Program,
            [
                $"--config.file={folder}/prometheus.yaml",
                $"--storage.tsdb.path={folder}/data",
                $"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ]
        );
    }

    public string Log => _process.Log;

    /// <summary>Ends the test as skipped if Prometheus is not installed. Call it before anything is started.</summary>
    public static void RequireOrSkip() =>
        Assert.SkipUnless(File.Exists(Program), $"{Program} is missing. Install it without its service: sudo ops/packages.sh install");

    /// <param name="folder">For its configuration and data.</param>
    /// <param name="servers">The addresses to scrape.</param>
    public static async Task<Prometheus> StartAsync(string folder, params IEnumerable<string> servers)
    {
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "alerts.yaml"), ShortAlerts.Text(), Now);
        await File.WriteAllTextAsync(
            Path.Combine(folder, "prometheus.yaml"),
            $$"""
            global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }
            rule_files: [alerts.yaml]
            scrape_configs:
              - job_name: dispatcher
                static_configs: [{ targets: [{{string.Join(", ", servers.Select(server => $"'{new Uri(server).Authority}'"))}}] }]
            """,
            Now
        );
        var prometheus = new Prometheus(folder, Servers.FreePort());
        await Eventually.IsAsync(
            async () => await prometheus.IsReadyAsync(),
            () => "Prometheus is ready\n" + prometheus.Log,
            TimeSpan.FromSeconds(30)
        );
        return prometheus;
    }

    public async Task<IReadOnlyList<FiringAlert>> FiringAsync()
    {
        var answer = await _client.GetFromJsonAsync<JsonElement>("/api/v1/alerts", Now);
        return
        [
            .. answer
                .GetProperty("data")
                .GetProperty("alerts")
                .EnumerateArray()
                .Where(alert => alert.GetProperty("state").GetString() == "firing")
                .Select(alert => new FiringAlert(
                    alert.GetProperty("labels").GetProperty("alertname").GetString()!,
                    alert.GetProperty("labels").GetRawText()
                )),
        ];
    }

    /// <summary>Whether the alert fires or has fired since the start.</summary>
    public async Task<bool> HasFiredAsync(string alert)
    {
        var query = $"max_over_time(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}[10m])";
        var answer = await _client.GetFromJsonAsync<JsonElement>("/api/v1/query?query=" + Uri.EscapeDataString(query), Now);
        return answer.GetProperty("data").GetProperty("result").GetArrayLength() > 0;
    }

    /// <summary>The annotation of a rule with the entry of the runbook.</summary>
    public async Task<string> RunbookAsync(string alert)
    {
        var answer = await _client.GetFromJsonAsync<JsonElement>("/api/v1/rules?type=alert", Now);
        return answer
            .GetProperty("data")
            .GetProperty("groups")
            .EnumerateArray()
            .SelectMany(group => group.GetProperty("rules").EnumerateArray())
            .Single(rule => rule.GetProperty("name").GetString() == alert)
            .GetProperty("annotations")
            .GetProperty("runbook")
            .GetString()!;
    }

    public async ValueTask DisposeAsync()
    {
        await _process.DisposeAsync();
        _client.Dispose();
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private async Task<bool> IsReadyAsync()
    {
        if (_process.HasEnded)
        {
            throw new InvalidOperationException("Prometheus has ended.\n" + Log);
        }

        try
        {
            using var answer = await _client.GetAsync(new Uri("/-/ready", UriKind.Relative), Now);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
