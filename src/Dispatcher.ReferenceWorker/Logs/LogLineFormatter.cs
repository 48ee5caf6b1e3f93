using System.Buffers;
using System.Globalization;
using System.Text;
using Serilog.Events;
using Serilog.Formatting;

namespace Dispatcher.ReferenceWorker.Logs;

/// <summary>
/// Writes each event as one line and its exception below it, indented. Payloads of jobs and outputs of programs reach the log. Their
/// line breaks and other control characters are escaped, so that no text can imitate a log line or control the terminal.
/// </summary>
internal sealed class LogLineFormatter : ITextFormatter
{
    private const string Indent = "    ";

    public void Format(LogEvent logEvent, TextWriter output)
    {
        var time = logEvent.Timestamp.UtcDateTime.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture);
        var entry = new LogEntry(logEvent);
        var message = Clean(JobOf(logEvent) + entry.Message);
        output.WriteLine(
            string.Create(CultureInfo.InvariantCulture, $"{time} {logEvent.Level} {Clean(entry.Logger)}[{entry.EventId}] {message}")
        );
        if (logEvent.Exception is { } exception)
        {
            foreach (var part in exception.ToString().ReplaceLineEndings("\n").Split('\n'))
            {
                output.WriteLine(Indent + Clean(part));
            }
        }
    }

    /// <summary>The job of the scope, for a handler's line. Empty when the event itself names its job, or has none.</summary>
    private static string JobOf(LogEvent logEvent) =>
        logEvent.Properties.TryGetValue("JobId", out var jobId)
        && !logEvent.MessageTemplate.Text.Contains("{JobId}", StringComparison.Ordinal)
            ? $"[job {Text(jobId)} {Text(logEvent.Properties.GetValueOrDefault("Topic"))} "
                + $"attempt {Text(logEvent.Properties.GetValueOrDefault("Attempt"))}] "
            : "";

    private static string Text(LogEventPropertyValue? value) => value is ScalarValue { Value: { } scalar } ? $"{scalar}" : $"{value}";

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
