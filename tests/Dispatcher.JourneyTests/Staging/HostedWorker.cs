using System.Globalization;
using Dispatcher.JourneyWorker;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The journeys' worker in the process of the tests.</summary>
internal sealed class HostedWorker : RunningProgram
{
    private static int _count;

    private readonly CancellationTokenSource _stop = new();
    private readonly LogText _log = new();
    private readonly string _instance = "hosted/" + Interlocked.Increment(ref _count).ToString(CultureInfo.InvariantCulture);
    private readonly Task<int> _run;

    public HostedWorker(JourneyWorkerSettings settings)
    {
        _run = Task.Run(() => RunAsync(settings with { Instance = _instance }));
    }

    public override string Name => $"worker {_instance}";

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

    private async Task<int> RunAsync(JourneyWorkerSettings settings)
    {
        using var host = JourneyWorkerHost.Build(settings, logging => logging.AddProvider(new LogProvider(_log)));
        try
        {
            await host.RunAsync(_stop.Token);
            return 0;
        }
#pragma warning disable CA1031 // Any exception ends a real process.
        catch (Exception fault) when (fault is not OperationCanceledException)
#pragma warning restore CA1031
        {
            _log.WriteLine(fault.ToString());
            return 1;
        }
    }

    /// <summary>Writes each log entry as one line, as the console of the worker's process does.</summary>
    private sealed class LogProvider(LogText log) : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => new Logger(log, categoryName);

        public void Dispose() { }
    }

    private sealed class Logger(LogText log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter
        ) => log.WriteLine($"{logLevel}: {category} {formatter(state, exception)} {exception}");
    }
}
