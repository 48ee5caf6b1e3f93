using System.Collections.Concurrent;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker;

/// <summary>A running worker of pool <c>test</c>. The handler of its only topic, <c>job.test</c>, runs the delegate of the test.</summary>
internal sealed class AWorker : IAsyncDisposable
{
    private readonly IHost _host;

    private AWorker(IHost host, InMemoryTransport transport, LogLines logs) => (_host, Transport, Logs) = (host, transport, logs.Lines);

    public InMemoryTransport Transport { get; }

    /// <summary>The logged events of level Warning and above.</summary>
    public ConcurrentQueue<(EventId Id, Exception? Exception)> Logs { get; }

    public static async Task<AWorker> That(
        Func<JobRun, CancellationToken, Task<JobResult>> runs,
        Action<WorkerOptions>? configure = null,
        InMemoryTransport? transport = null,
        TimeProvider? clock = null
    )
    {
        transport ??= new InMemoryTransport();
        var builder = Host.CreateEmptyApplicationBuilder(null);
        var logs = new LogLines();
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddProvider(logs);
        builder.Services.AddSingleton<IWorkerTransport>(transport);
        builder.Services.AddSingleton(clock ?? TimeProvider.System);
        builder.Services.AddSingleton(new HandlerDelegate(runs));
        builder.Services.AddDispatcherWorker("test", configure).Handle<Handler>("job.test");
        var host = builder.Build();
        await host.StartAsync(TestContext.Current.CancellationToken);
        return new AWorker(host, transport, logs);
    }

    /// <summary>Waits until the worker ends without a stop. Throws the exception that ended it.</summary>
    public Task EndsAsync() =>
        _host
            .Services.GetServices<IHostedService>()
            .OfType<BackgroundService>()
            .Single()
            .ExecuteTask!.WaitAsync(TimeSpan.FromSeconds(10), TestContext.Current.CancellationToken);

    public Task StopAsync() => _host.StopAsync(CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _host.StopAsync(CancellationToken.None);
        _host.Dispose();
    }

    private sealed class LogLines : ILoggerProvider, ILogger
    {
        public ConcurrentQueue<(EventId Id, Exception? Exception)> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => Lines.Enqueue((eventId, exception));

        public void Dispose()
        {
            // There is nothing to release.
        }
    }

    private sealed record HandlerDelegate(Func<JobRun, CancellationToken, Task<JobResult>> Runs);

    private sealed class Handler(HandlerDelegate handler) : IJobHandler
    {
        public Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken) => handler.Runs(run, cancellationToken);
    }
}
