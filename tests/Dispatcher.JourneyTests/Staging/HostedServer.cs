using Dispatcher.Base;
using Dispatcher.CommandLine;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A server in the process of the tests: what <c>dispatcher serve</c> runs once it has read its settings, on the same RabbitMQ and
/// PostgreSQL. It is ready in a fraction of the time of a process.
/// </summary>
internal sealed class HostedServer : DispatcherServer
{
    private readonly CancellationTokenSource _stop = new();
    private readonly LogText _log = new();
    private readonly Task<int> _run;

    public HostedServer(Journey journey, string address)
        : base(address)
    {
        var settings = new ServerSettings
        {
            RabbitMq = Servers.BrokerAs(Journey.ServerUser, journey.Name).AbsoluteUri,
            Postgres = journey.ServePostgres,
            PolicyFolder = journey.Policies.Folder,
            AuditFolder = journey.Audit,
            Urls = address,
            ApiKey = AdminKey,
            Migrate = !journey.IsMigrated,
            LogWriter = _log,
        };
        _run = Task.Run(() => RunAsync(settings));
    }

    public override string Name => $"hosted server {Address}";

    public override string Log => _log.ToString();

    public override bool HasEnded => _run.IsCompleted;

    public override async ValueTask DisposeAsync()
    {
        // A journey that ends well has stopped it before. One that fails must show its own failure, not that of the stop.
        RequestStop();
        await ((Task)_run).WaitAsync(TimeSpan.FromSeconds(30)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stop.Dispose();
        await _log.DisposeAsync();
    }

    public override void RequestStop() => _stop.Cancel();

    public override Task<int> ExitAsync() => _run;

    private async Task<int> RunAsync(ServerSettings settings)
    {
        var terminal = new Terminal(() => Stream.Null, _log, _log, _ => null, TimeProvider.System);
        try
        {
            return await ServerRun.ToExitCodeAsync(terminal, () => ServerRun.UntilStoppedAsync(settings, _stop.Token));
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
            _log.WriteLine("The server was stopped before it had started.");
            return (int)ExitCode.Unreachable;
        }
    }
}
