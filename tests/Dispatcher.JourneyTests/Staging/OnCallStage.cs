namespace Dispatcher.JourneyTests.Staging;

/// <summary>Servers in which problems are made, and the Prometheus that must report each of them.</summary>
internal sealed class OnCallStage : IAsyncDisposable
{
    /// <summary>
    /// The broker of the tests has its default limit, which fires the alert of large messages in every stage. The stage of that alert
    /// changes the limit.
    /// </summary>
    public const string OfEveryStage = "DispatcherBrokerAcceptsLargeMessages";

    private readonly List<ServerProcess> _servers = [];
    private readonly HashSet<string> _followed = new(StringComparer.Ordinal);
    private Prometheus? _prometheus;

    private OnCallStage(Journey journey) => Journey = journey;

    public Journey Journey { get; }

    public Records Records => Journey.Records;

    public static async Task<OnCallStage> BeginAsync()
    {
        Prometheus.RequireOrSkip();
        return new OnCallStage(await Journey.BeginAsync());
    }

    public static string FreeAddress() => $"http://127.0.0.1:{Servers.FreePort()}";

    /// <summary>Starts a server without waiting for it.</summary>
    public ServerProcess Start(string address, Uri? broker = null, string? postgres = null)
    {
        var server = new ServerProcess(Journey, address, broker, postgres);
        _servers.Add(server);
        return server;
    }

    public async Task ScrapeAsync(params IEnumerable<string> servers) =>
        _prometheus = await Prometheus.StartAsync(Path.Combine(Journey.Folder, "prometheus"), servers);

    /// <summary>Waits until an alert fires, and follows the entry that it names.</summary>
    /// <param name="alert">Its name.</param>
    /// <param name="server">That the commands call.</param>
    /// <param name="orHasFired">An alert of a change ends by itself: it may have fired earlier in this stage.</param>
    public async Task<OnCall> FiresAsync(string alert, DispatcherServer server, bool orHasFired = false)
    {
        await Eventually.IsAsync(
            async () => await IsFiringAsync(alert) || (orHasFired && await _prometheus!.HasFiredAsync(alert)),
            () => $"{alert} fires\n{State()}",
            TimeSpan.FromSeconds(40)
        );
        _followed.Add(alert);
        Assert.Equal(alert, Runbook.Heading(await _prometheus!.RunbookAsync(alert)));
        return new OnCall(Journey, server, alert);
    }

    /// <summary>The alert fires as long as its cause goes on: before the command that ends the cause.</summary>
    public async Task StillFiresAsync(string alert) =>
        await Eventually.IsAsync(() => IsFiringAsync(alert), () => $"{alert} still fires\n{State()}", TimeSpan.FromSeconds(15));

    /// <summary>Each command of the entry has been run, and the alert no longer fires.</summary>
    public async Task IsOverAsync(string alert, OnCall onCall)
    {
        onCall.HasRunAll();
        await Eventually.IsAsync(async () => !await IsFiringAsync(alert), () => $"{alert} is over\n{State()}", TimeSpan.FromSeconds(40));
    }

    /// <summary>No alert fires, and each of these has fired.</summary>
    public async Task EndsQuietAsync(IEnumerable<string> alerts, string allowed = OfEveryStage)
    {
        await Eventually.IsAsync(
            async () => (await _prometheus!.FiringAsync()).All(one => one.Name == allowed),
            () => $"no alert fires\n{State()}",
            TimeSpan.FromSeconds(40)
        );
        Assert.Equal(alerts.Order(StringComparer.Ordinal), _followed.Order(StringComparer.Ordinal));
    }

    public async ValueTask DisposeAsync()
    {
        await (_prometheus?.DisposeAsync() ?? ValueTask.CompletedTask);
        await Task.WhenAll(_servers.Select(server => server.DisposeAsync().AsTask()));
        await Journey.DisposeAsync();
    }

    private async Task<bool> IsFiringAsync(string alert) => (await _prometheus!.FiringAsync()).Any(one => one.Name == alert);

    private string State() =>
        $"firing: {string.Join('\n', _prometheus!.FiringAsync().GetAwaiter().GetResult().Select(one => one.Labels))}\n"
        + $"{_prometheus.Log}\n{string.Join("\n", _servers.Select(server => $"--- {server.Name}\n{Tail(server.Log)}"))}\n{Journey.Logs()}";

    private static string Tail(string log) => log.Length <= 6_000 ? log : "…" + log[^6_000..];
}
