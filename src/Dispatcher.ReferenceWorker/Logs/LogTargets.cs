using System.Text;
using Serilog;
using Serilog.Events;
using Serilog.Formatting;

namespace Dispatcher.ReferenceWorker.Logs;

/// <summary>Where server and worker write their log, and in which form.</summary>
internal static class LogTargets
{
    public const string Text = "text";
    public const string Json = "json";

    /// <summary>A file is closed at this size, and a new one begins with a number in its name.</summary>
    private const long MaxFileBytes = 100 * 1024 * 1024;

    /// <summary>Older files are deleted: together they have at most half a gigabyte.</summary>
    private const int MaxFiles = 5;

    /// <summary>The formatter of a setting; <paramref name="text"/> is that of lines.</summary>
    public static ITextFormatter Formatter(string format, ITextFormatter text) => format == Json ? new JsonLineFormatter() : text;

    /// <summary>Also writes to a file. Null: to none.</summary>
    public static LoggerConfiguration AlsoTo(this LoggerConfiguration configuration, string? file, ITextFormatter formatter) =>
        file is null
            ? configuration
            : configuration.WriteTo.File(
                formatter,
                file,
                fileSizeLimitBytes: MaxFileBytes,
                rollOnFileSizeLimit: true,
                retainedFileCountLimit: MaxFiles,
                encoding: new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)
            );

    /// <summary>The log of the worker program: to standard output.</summary>
    public static void AddLog(this ILoggingBuilder logging, string format, string? file)
    {
        var formatter = Formatter(format, new LogLineFormatter());
        var logger = new LoggerConfiguration()
            .MinimumLevel.Is(LogEventLevel.Information)
            .Enrich.FromLogContext()
            .WriteTo.Console(formatter)
            .AlsoTo(file, formatter)
            .CreateLogger();
        logging.SetMinimumLevel(LogLevel.Information).AddSerilog(logger, dispose: true);
    }

    /// <summary>Why the setting is not a format. Null: it is one.</summary>
    public static string? FormatFault(string format) => format is Text or Json ? null : $"is '{format}'; allowed are {Text} and {Json}";

    /// <summary>Why the file cannot be written to. Null: it can. Nothing is made, because a check must leave nothing behind.</summary>
    public static string? FileFault(string file) =>
        Fault(file) is { } unusable ? $"names {file}, which cannot be written to: {unusable.Message}" : null;

    private static Exception? Fault(string file)
    {
        try
        {
            var full = Path.GetFullPath(file);
            if (!Path.Exists(full))
            {
                return WritableFolder.Fault(Path.GetDirectoryName(full) ?? full);
            }

            using var stream = new FileStream(full, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
            return null;
        }
        catch (Exception unusable)
            when (unusable is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return unusable;
        }
    }
}
