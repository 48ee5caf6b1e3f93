using System.Globalization;
using System.Text;
using System.Text.Json;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;

namespace Dispatcher.ReferenceWorker.Logs;

/// <summary>
/// Writes each event as one JSON object on one line, in server and worker alike: <c>time</c> (RFC 3339, UTC), <c>level</c>,
/// <c>event_id</c>, <c>logger</c>, <c>message</c>, <c>trace_id</c>, <c>properties</c> and <c>exception</c>. An unknown value is left out.
/// Every control character and every character outside ASCII is escaped, so that no text can look like another line.
/// </summary>
internal sealed class JsonLineFormatter : ITextFormatter
{
    public void Format(LogEvent logEvent, TextWriter output)
    {
        var entry = new LogEntry(logEvent);
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("time", logEvent.Timestamp.UtcDateTime);
            json.WriteString("level", logEvent.Level.ToString());
            if (entry.EventId != 0)
            {
                json.WriteNumber("event_id", entry.EventId);
            }

            json.WriteString("logger", entry.Logger);
            json.WriteString("message", entry.Message);
            if (TraceOf(logEvent) is { } trace)
            {
                json.WriteString("trace_id", trace);
            }

            WriteProperties(json, logEvent);
            if (logEvent.Exception is { } exception)
            {
                json.WriteString("exception", exception.ToString());
            }

            json.WriteEndObject();
        }

        output.WriteLine(Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length)));
    }

    /// <summary>The trace of the job, else that of the request.</summary>
    private static string? TraceOf(LogEvent logEvent) =>
        logEvent.Properties.TryGetValue("TraceId", out var value) && value is ScalarValue { Value: string { Length: > 0 } job }
            ? job
            : logEvent.TraceId?.ToString();

    private static void WriteProperties(Utf8JsonWriter json, LogEvent logEvent)
    {
        json.WriteStartObject("properties");
        foreach (var (name, value) in logEvent.Properties)
        {
            if (name is not (LogEntry.EventIdProperty or Constants.SourceContextPropertyName or "{OriginalFormat}" or "Scope" or "TraceId"))
            {
                json.WritePropertyName(name);
                Write(json, value);
            }
        }

        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, LogEventPropertyValue value)
    {
        switch ((value as ScalarValue)?.Value)
        {
            case int number:
                json.WriteNumberValue(number);
                break;
            case long number:
                json.WriteNumberValue(number);
                break;
            case bool flag:
                json.WriteBooleanValue(flag);
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case null when value is ScalarValue:
                json.WriteNullValue();
                break;
            default:
                json.WriteStringValue(value.ToString(null, CultureInfo.InvariantCulture).Trim('"'));
                break;
        }
    }
}
