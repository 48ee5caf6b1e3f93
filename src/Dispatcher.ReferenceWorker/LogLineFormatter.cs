using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Dispatcher.ReferenceWorker;

/// <summary>
/// Writes each event as one line, and its exception below it, indented. Texts of jobs and outputs of programs reach the log; their line
/// breaks and other control characters are escaped here, for every log event, so that none of them can look like another line or drive
/// the terminal.
/// </summary>
internal sealed class LogLineFormatter(TimeProvider clock) : ConsoleFormatter(Line)
{
    /// <summary>The name by which the console finds it.</summary>
    public const string Line = "line";

    private const string Indent = "    ";

    public LogLineFormatter() : this(TimeProvider.System)
    {
    }

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var time = clock.GetUtcNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        var id = logEntry.EventId.Id.ToString(CultureInfo.InvariantCulture);
        textWriter.WriteLine($"{time} {logEntry.LogLevel} {logEntry.Category}[{id}] {Clean(message)}");
        if (logEntry.Exception is { } exception)
        {
            foreach (var part in exception.ToString().ReplaceLineEndings("\n").Split('\n'))
            {
                textWriter.WriteLine(Indent + Clean(part));
            }
        }
    }

    private static string Clean(string text)
    {
        if (!text.Any(IsUnsafe))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        foreach (var character in text)
        {
            _ = IsUnsafe(character) ? clean.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}") : clean.Append(character);
        }

        return clean.ToString();
    }

    private static bool IsUnsafe(char character) => char.GetUnicodeCategory(character)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;
}
