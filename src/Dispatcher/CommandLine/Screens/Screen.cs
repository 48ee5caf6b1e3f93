using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Policies.Texts;
using Spectre.Console;

namespace Dispatcher.CommandLine.Screens;

/// <summary>
/// Writes output for people. All text is escaped by <see cref="PrintableText"/>, because names and messages are untrusted.
/// </summary>
internal sealed class Screen
{
    private const int Unlimited = 10_000;
    private const int Gap = 2;

    private readonly Terminal _terminal;
    private readonly IAnsiConsole _console;

    public Screen(Terminal terminal)
    {
        _terminal = terminal;
        var output = new AnsiConsoleOutput(terminal.Output);
        var plain = !output.IsTerminal;
        _console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = output,
                Ansi = plain ? AnsiSupport.No : AnsiSupport.Detect,
                ColorSystem = plain ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
                Interactive = InteractionSupport.No,
            }
        );
        // A file or a pipe has no width limit: a row stays one line, for grep.
        _console.Profile.Width = terminal.Width ?? (plain ? Unlimited : _console.Profile.Width);
    }

    /// <summary>Writes the JSON of the server unchanged.</summary>
    public void Json(string document) => _terminal.Output.WriteLine(document);

    public void Line(string text) => _terminal.Output.WriteLine(PrintableText.Of(text, keepLines: true));

    /// <summary>Writes a command to copy: never wrapped, and coloured when the terminal has colours.</summary>
    public void Command(string text)
    {
        var hasColour = _console.Profile.Capabilities.ColorSystem != ColorSystem.NoColors;
        _terminal.Output.WriteLine(hasColour ? $"  \e[1;36m{PrintableText.Of(text)}\e[0m" : "  " + PrintableText.Of(text));
    }

    /// <summary>Writes a hint or progress to the error stream.</summary>
    public void Note(string text) => _terminal.Error.WriteLine(PrintableText.Of(text));

    public void Failure(string what, string fix)
    {
        Note("error: " + what);
        Note("  fix: " + fix);
    }

    /// <summary>Writes a line, cut to the width of the terminal.</summary>
    public void ShortLine(string text) => _terminal.Output.WriteLine(Cut(PrintableText.Of(text), _console.Profile.Width));

    /// <summary>
    /// Writes one line for each row. When the terminal is too narrow, the widest cells are cut, but never the ids in the first column.
    /// </summary>
    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        var cells = rows.Select(row => row.Select(cell => PrintableText.Of(cell)).ToArray()).ToList();
        var widths = Widths(columns, cells, _console.Profile.Width);
        Row([.. columns.Select(column => column.ToUpperInvariant())], widths);
        foreach (var row in cells)
        {
            Row(row, widths);
        }

        if (cells.Count == 0)
        {
            Note("(none)");
        }
        else if (cells.Exists(row => row.Where((cell, column) => cell.Length > widths[column]).Any()))
        {
            Note("(cut to the width of the terminal; --json shows all)");
        }
    }

    /// <summary>Written without the library, which would wrap cells.</summary>
    private void Row(string[] cells, int[] widths)
    {
        var line = new StringBuilder();
        for (var column = 0; column < cells.Length; column++)
        {
            var cell = Cut(cells[column], widths[column]);
            line.Append(HasColour && ColourOf(cells[column]) is { } colour ? $"\e[{colour.Code}m{cell}\e[0m" : cell)
                .Append(' ', Math.Max(widths[column] - cell.Length, 0) + Gap);
        }

        _terminal.Output.WriteLine(line.ToString().TrimEnd());
    }

    /// <summary>Writes one line for each field; empty fields are left out. Names of hosts, owners and queues are untrusted too.</summary>
    public void Fields(params IEnumerable<(string Name, string Value)> fields)
    {
        var shown = fields.Where(field => field.Value.Length > 0).Select(field => (PrintableText.Of(field.Name), field.Value)).ToArray();
        if (_console.Profile.Width == Unlimited)
        {
            PlainFields(shown);
            return;
        }

        var grid = new Grid()
            .AddColumn(new GridColumn().NoWrap().PadLeft(0).PadRight(2))
            .AddColumn(new GridColumn().PadLeft(0).PadRight(0));
        foreach (var (name, value) in shown)
        {
            grid.AddRow(new Markup(Markup.Escape(name)), Cell(value, keepLines: true));
        }

        _console.Write(grid);
    }

    /// <summary>Written without the library, which would pad each line to the longest one.</summary>
    private void PlainFields((string Name, string Value)[] fields)
    {
        var width = fields.Select(field => field.Name.Length).DefaultIfEmpty().Max() + Gap;
        foreach (var (name, value) in fields)
        {
            var lines = PrintableText.Of(value, keepLines: true).Split('\n');
            _terminal.Output.WriteLine(name.PadRight(width) + string.Join('\n' + new string(' ', width), lines));
        }
    }

    /// <summary>Writes how to get the next page, if there is one.</summary>
    public void NextPage(JsonElement page)
    {
        if (page.Text("next") is { Length: > 0 } cursor)
        {
            Note($"(there is more: repeat with --cursor '{cursor}')");
        }
    }

    /// <summary>A time as its age by the local clock, and in UTC. Empty when missing.</summary>
    public string Time(JsonElement from, string name) =>
        from.Moment(name) is { } at
            ? $"{Age(_terminal.Clock.GetUtcNow() - at)} "
                + $"({at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture)} UTC)"
            : "";

    /// <summary>Only the age, for tables. Empty when missing.</summary>
    public string Age(JsonElement from, string name) => from.Moment(name) is { } at ? Age(_terminal.Clock.GetUtcNow() - at) : "";

    internal static string Age(TimeSpan age)
    {
        var size = age.Duration();
        var text =
            size.TotalSeconds < 60 ? $"{(int)size.TotalSeconds} s"
            : size.TotalMinutes < 60 ? $"{(int)size.TotalMinutes} min"
            : size.TotalHours < 48 ? $"{(int)size.TotalHours} h"
            : $"{(int)size.TotalDays} d";
        return age < TimeSpan.Zero ? "in " + text : text + " ago";
    }

    /// <summary>
    /// The width of each column in characters, so that a row fits: the widest columns are narrowed to a common width. The last gap counts,
    /// because some terminals wrap a line of full width.
    /// </summary>
    private static int[] Widths(IReadOnlyList<string> columns, List<string[]> rows, int width)
    {
        int[] widths = [.. columns.Select((column, index) => rows.Select(row => row[index].Length).Append(column.Length).Max())];
        for (var max = widths.Max(); widths.Sum() + (Gap * widths.Length) > width && max > 0; max--)
        {
            for (var column = 1; column < widths.Length; column++)
            {
                widths[column] = Math.Min(widths[column], Math.Max(max, columns[column].Length));
            }
        }

        return widths;
    }

    private bool HasColour => _console.Profile.Capabilities.ColorSystem != ColorSystem.NoColors;

    private static string Cut(string text, int width) => text.Length <= width ? text : Excerpt.Of(text, Math.Max(width - 1, 1));

    private static Text Cell(string value, bool keepLines = false) =>
        new(PrintableText.Of(value, keepLines), ColourOf(value) is { } colour ? new Style(colour.Colour) : Style.Plain);

    private static (Color Colour, int Code)? ColourOf(string value) =>
        value switch
        {
            "succeeded" or "ALLOW" => (Color.Green, 32),
            "held" or "retrying" or "REQUIRE_APPROVAL" => (Color.Yellow, 33),
            "denied" or "rejected" or "expired" or "dead_lettered" or "quarantined" or "faulted" or "DENY" => (Color.Red, 31),
            _ => null,
        };
}
