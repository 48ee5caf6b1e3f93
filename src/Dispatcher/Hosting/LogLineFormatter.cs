using System.Globalization;
using Dispatcher.CommandLine;
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

    private static readonly MessageTemplateTextFormatter Line =
        new("{Timestamp:HH:mm:ss.fff} {Level:u3} {SourceContext} {Message:lj}", CultureInfo.InvariantCulture);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var line = new StringWriter(CultureInfo.InvariantCulture);
        Line.Format(logEvent, line);
        output.WriteLine(Screen.Clean(line.ToString()));
        if (logEvent.Exception is { } exception)
        {
            foreach (var part in exception.ToString().ReplaceLineEndings("\n").Split('\n'))
            {
                output.WriteLine(Indent + Screen.Clean(part));
            }
        }
    }
}
