using System.Globalization;
using Serilog;
using Serilog.Core;
using Serilog.Events;

namespace Dispatcher.Hosting;

/// <summary>Logs to standard error, so that what a command prints stays clean, or to the writer that the host names.</summary>
internal static class SerilogConsole
{
    public static void AddSerilog(this IServiceCollection services, string leastLevel, TextWriter? writer)
    {
        var level = Enum.TryParse<LogEventLevel>(leastLevel, ignoreCase: true, out var wanted) ? wanted : LogEventLevel.Information;
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(level)
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("MassTransit", LogEventLevel.Warning)
            // It shouts of commands that fail as expected (the first look for the migrations' table); those that matter come to us as exceptions.
            .MinimumLevel.Override("Microsoft.EntityFrameworkCore", LogEventLevel.Fatal)
            // Keys for cookies, which nobody uses here.
            .MinimumLevel.Override("Microsoft.AspNetCore.DataProtection", LogEventLevel.Error)
            // A failed start ends with one message for people; its stack is for those who ask for it.
            .Filter.ByExcluding(entry => level > LogEventLevel.Debug && entry.Level >= LogEventLevel.Warning && FollowsFailedStart(entry))
            // The server stops, or the store is away, and says so once: the message goes back to its queue.
            .Filter.ByExcluding(entry =>
                level > LogEventLevel.Debug && entry.Exception is OperationCanceledException && IsOf(entry, "MassTransit.ReceiveTransport")
            )
            .Enrich.FromLogContext();
        var logger = (
            writer is null
                ? configuration.WriteTo.Console(new LogLineFormatter(), standardErrorFromLevel: LogEventLevel.Verbose)
                : configuration.WriteTo.Sink(new WriterSink(writer))
        ).CreateLogger();
        services.AddLogging(logging => logging.ClearProviders().AddSerilog(logger, dispose: true));
    }

    private static bool IsOf(LogEvent entry, string source) =>
        entry.Properties.TryGetValue(Constants.SourceContextPropertyName, out var value)
        && value is ScalarValue { Value: string name }
        && name == source;

    /// <summary>The failed start itself, the background services that it cancels, and the buses that it stops before they started.</summary>
    private static bool FollowsFailedStart(LogEvent entry)
    {
        var text = entry.RenderMessage(CultureInfo.InvariantCulture);
        return text == "Hosting failed to start"
            || (entry.Exception is OperationCanceledException && text.Contains("BackgroundService", StringComparison.Ordinal))
            || (text.StartsWith("Failed to stop bus", StringComparison.Ordinal) && text.Contains("Not Started", StringComparison.Ordinal));
    }

    private sealed class WriterSink(TextWriter writer) : ILogEventSink
    {
        private readonly LogLineFormatter _formatter = new();

        public void Emit(LogEvent logEvent)
        {
            lock (writer)
            {
                _formatter.Format(logEvent, writer);
            }
        }
    }
}
