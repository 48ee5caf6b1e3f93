using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace Dispatcher.ReferenceWorker;

/// <summary>
/// Writes each event as one line and its exception below it, indented. Payloads of jobs and outputs of programs reach the log. Their
/// line breaks and other control characters are escaped, so that no text can imitate a log line or control the terminal.
/// </summary>
internal sealed class LogLineFormatter(TimeProvider clock) : ConsoleFormatter(Line)
{
    /// <summary>The name of this formatter in the console's options.</summary>
    public const string Line = "line";

    private const string Indent = "    ";

    public LogLineFormatter()
        : this(TimeProvider.System) { }

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var time = clock.GetUtcNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var message = ScopeOf(logEntry.State, scopeProvider) + logEntry.Formatter(logEntry.State, logEntry.Exception);
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

    /// <summary>The scopes of the event, which name the job of a handler's line. Empty when the event itself names its job.</summary>
    private static string ScopeOf<TState>(TState state, IExternalScopeProvider? scopes)
    {
        if (state is IEnumerable<KeyValuePair<string, object?>> values && values.Any(value => value.Key == "JobId"))
        {
            return "";
        }

        var text = new StringBuilder();
        scopes?.ForEachScope((scope, all) => all.Append(CultureInfo.InvariantCulture, $"[{scope}] "), text);
        return text.ToString();
    }

    private static string Clean(string text)
    {
        var clean = new StringBuilder(text.Length);
        for (ReadOnlySpan<char> rest = text; rest.Length > 0; )
        {
            var isWhole = Rune.DecodeFromUtf16(rest, out var rune, out var length) == OperationStatus.Done;
            _ =
                isWhole && !IsInvisible(rune) ? clean.Append(rest[..length])
                : rune.IsBmp ? clean.Append(CultureInfo.InvariantCulture, $"\\u{(int)rest[0]:x4}")
                : clean.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}");
            rest = rest[length..];
        }

        return clean.ToString();
    }

    /// <summary>The same rule as in the server; a worker does not reference the server's code.</summary>
    private static bool IsInvisible(Rune character) =>
        character.Value is 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x2800 or 0x3164 or 0xFFA0
        || character.Value is (>= 0x180B and <= 0x180F) or (>= 0xFE00 and <= 0xFE0F) or (>= 0xE0100 and <= 0xE01EF)
        || Rune.GetUnicodeCategory(character)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.Surrogate
                or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned;
}
