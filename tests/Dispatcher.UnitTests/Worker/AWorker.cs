using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker;

/// <summary>A running worker of pool <c>test</c> whose one topic <c>job.test</c> does what the test says.</summary>
internal sealed class AWorker : IAsyncDisposable
{
    private readonly IHost _host;

    private AWorker(IHost host, InMemoryTransport transport) => (_host, Transport) = (host, transport);

    public InMemoryTransport Transport { get; }

    public static async Task<AWorker> That(
        Func<JobRun, CancellationToken, Task<JobResult>> runs, Action<WorkerOptions>? configure = null, InMemoryTransport? transport = null)
    {
        transport ??= new InMemoryTransport();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.Services.AddSingleton<IWorkerTransport>(transport);
        builder.Services.AddSingleton(new Doing(runs));
        builder.Services.AddDispatcherWorker("test", configure).Handle<Handler>("job.test");
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return new AWorker(host, transport);
    }

    /// <summary>Waits until the worker has ended by itself; throws what it ended with.</summary>
    public Task EndsAsync() => _host.Services.GetServices<IHostedService>().OfType<BackgroundService>().Single().ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

    public Task StopAsync() => _host.StopAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
    }

    private sealed record Doing(Func<JobRun, CancellationToken, Task<JobResult>> Runs);

    private sealed class Handler(Doing doing) : IJobHandler
    {
        public Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken) => doing.Runs(run, cancellationToken);
    }
}
