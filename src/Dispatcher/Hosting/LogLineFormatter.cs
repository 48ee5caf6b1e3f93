using System.Globalization;
using System.Net.Sockets;
using Dispatcher.Base;
using RabbitMQ.Client.Exceptions;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;

namespace Dispatcher.Hosting;

/// <summary>
/// Writes each event as one line, and its exception below it, indented. Texts of jobs, workers and brokers reach the log; their line
/// breaks and other control characters are escaped here, for every log event, so that none of them can look like another line or drive
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
        if (logEvent.Exception is { } away && IsOutage(away))
        {
            // A server that is away is away for all of the code: its reason says more than a stack, a hundred times an outage.
            output.WriteLine(
                Indent + PrintableText.Of($"{away.GetType().Name}: {away.GetBaseException().Message}".ReplaceLineEndings(" "))
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
