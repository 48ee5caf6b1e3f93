using System.Globalization;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Display;

namespace Dispatcher.ReferenceWorker.Logs;

/// <summary>What <c>Microsoft.Extensions.Logging</c> says of an event beside its properties.</summary>
internal readonly struct LogEntry(LogEvent logEvent)
{
    /// <summary>The property in which Serilog has the event id.</summary>
    public const string EventIdProperty = "EventId";

    /// <summary>Texts without quotes, as <c>Microsoft.Extensions.Logging</c> writes them.</summary>
    private static readonly MessageTemplateTextFormatter Literal = new("{Message:lj}", CultureInfo.InvariantCulture);

    public string Message
    {
        get
        {
            using var message = new StringWriter(CultureInfo.InvariantCulture);
            Literal.Format(logEvent, message);
            return message.ToString();
        }
    }

    /// <summary>The class that logs. Empty: unknown.</summary>
    public string Logger =>
        logEvent.Properties.TryGetValue(Constants.SourceContextPropertyName, out var value) && value is ScalarValue { Value: string name }
            ? name
            : "";

    /// <summary>0: the event has none.</summary>
    public int EventId =>
        logEvent.Properties.TryGetValue(EventIdProperty, out var value)
        && value is StructureValue id
        && id.Properties.FirstOrDefault(part => part.Name == "Id")?.Value is ScalarValue { Value: int number }
            ? number
            : 0;
}
