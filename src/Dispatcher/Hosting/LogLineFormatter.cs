using System.Globalization;
using System.Net.Sockets;
using Dispatcher.Base;
using RabbitMQ.Client.Exceptions;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Dispatcher.Hosting;

/// <summary>
/// Writes each event as one line, and its exception below it, indented. Log events contain untrusted texts of jobs, workers and brokers.
/// Line breaks and other control characters are escaped in every event, so that a text can neither look like another line nor control
/// the terminal.
/// </summary>
internal sealed class LogLineFormatter : ITextFormatter
{
    private const string Indent = "    ";

    private static readonly MessageTemplateTextFormatter Line = new(
        "{Timestamp:HH:mm:ss.fff} {Level:u3} {SourceContext} {Message:lj}",
        CultureInfo.InvariantCulture
    );

    private static bool IsOutage(Exception fault) =>
        fault is not OperationCanceledException
        && (
            fault.IsOutage()
            || fault is BrokerUnreachableException or AlreadyClosedException or OperationInterruptedException or SocketException
        );

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var line = new StringWriter(CultureInfo.InvariantCulture);
        Line.Format(logEvent, line);
        output.WriteLine(PrintableText.Of(line.ToString()));
        if (logEvent.Exception is { } outage && IsOutage(outage))
        {
            // An outage affects many places of the code at once: a hundred stacks would hide the one reason.
            output.WriteLine(
                Indent + PrintableText.Of($"{outage.GetType().Name}: {outage.GetBaseException().Message}".ReplaceLineEndings(" "))
            );
        }
        else if (logEvent.Exception is { } exception)
        {
            foreach (var part in exception.ToString().ReplaceLineEndings("\n").Split('\n'))
            {
                output.WriteLine(Indent + PrintableText.Of(part));
            }
        }
    }
}
