using System.Globalization;
using Dispatcher.Base;
using Dispatcher.ReferenceWorker.Logs;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;

namespace Dispatcher.Hosting;

/// <summary>Logs to standard error, so that what a command prints stays clean, or to the writer that the host names.</summary>
internal static class SerilogConsole
{
    public static void AddSerilog(this IServiceCollection services, ServerSettings settings)
    {
        var level = Enum.TryParse<LogEventLevel>(settings.LogLevel, ignoreCase: true, out var wanted) ? wanted : LogEventLevel.Information;
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(level)
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("MassTransit", LogEventLevel.Warning)
            // EF Core logs expected failures as errors (the first read of the table of migrations); real ones are thrown as exceptions.
            .MinimumLevel.Override("Microsoft.EntityFrameworkCore", LogEventLevel.Fatal)
            // Warns about keys for cookies, which the server does not use.
            .MinimumLevel.Override("Microsoft.AspNetCore.DataProtection", LogEventLevel.Error)
            // A failed start ends with one message; the log level Debug shows the stack.
            .Filter.ByExcluding(entry => level > LogEventLevel.Debug && entry.Level >= LogEventLevel.Warning && FollowsFailedStart(entry))
            // The server stops or the store is unavailable, which is logged once; the message returns to its queue.
            .Filter.ByExcluding(entry =>
                level > LogEventLevel.Debug && entry.Exception is OperationCanceledException && IsOf(entry, "MassTransit.ReceiveTransport")
            )
            .Enrich.FromLogContext();
        var formatter = LogTargets.Formatter(settings.LogFormat, new LogLineFormatter());
        var logger = (
            settings.LogWriter is null
                ? configuration.WriteTo.Console(formatter, standardErrorFromLevel: LogEventLevel.Verbose)
                : configuration.WriteTo.Sink(new WriterSink(settings.LogWriter, formatter))
        )
            .AlsoTo(settings.LogFile, formatter)
            .CreateLogger();
        services.AddLogging(logging => logging.ClearProviders().AddSerilog(logger, dispose: true));
    }

    private static bool IsOf(LogEvent entry, string source) =>
        entry.Properties.TryGetValue(Constants.SourceContextPropertyName, out var value)
        && value is ScalarValue { Value: string name }
        && name == source;

    /// <summary>
    /// True for the failed start itself, background services that it cancels, and buses that it stops before they have started.
    /// </summary>
    private static bool FollowsFailedStart(LogEvent entry)
    {
        var text = entry.RenderMessage(CultureInfo.InvariantCulture);
        return text == "Hosting failed to start"
            || (entry.Exception is OperationCanceledException && text.Contains("BackgroundService", StringComparison.Ordinal))
            || (text.StartsWith("Failed to stop bus", StringComparison.Ordinal) && text.Contains("Not Started", StringComparison.Ordinal));
    }

    private sealed class WriterSink(TextWriter writer, ITextFormatter formatter) : ILogEventSink
    {
        public void Emit(LogEvent logEvent)
        {
            lock (writer)
            {
                formatter.Format(logEvent, writer);
            }
        }
    }
}
