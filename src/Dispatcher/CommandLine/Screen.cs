using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Dispatcher.Policies;
using Spectre.Console;

namespace Dispatcher.CommandLine;

/// <summary>Writes for people. Everything shown goes through <see cref="Clean"/>: names and messages come from strangers.</summary>
internal sealed class Screen
{
    private readonly Terminal _terminal;
    private readonly IAnsiConsole _console;

    public Screen(Terminal terminal)
    {
        _terminal = terminal;
        var output = new AnsiConsoleOutput(terminal.Output);
        var plain = !output.IsTerminal;
        _console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = output,
            Ansi = plain ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = plain ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            Interactive = InteractionSupport.No,
        });
        if (plain)
        {
            // A file or a pipe has no width: a row stays one line, for grep.
            _console.Profile.Width = 10_000;
        }
    }

    /// <summary>The server's own bytes, as they came.</summary>
    public void Json(string document) => _terminal.Output.WriteLine(document);

    public void Line(string text) => _terminal.Output.WriteLine(Clean(text, keepLines: true));

    /// <summary>A line to copy into a terminal: never wrapped, and in colour where there is any.</summary>
    public void Command(string text)
    {
        var hasColour = _console.Profile.Capabilities.ColorSystem != ColorSystem.NoColors;
        _terminal.Output.WriteLine(hasColour ? $"  \e[1;36m{Clean(text)}\e[0m" : "  " + Clean(text));
    }

    /// <summary>A hint or progress, beside the answer.</summary>
    public void Note(string text) => _terminal.Error.WriteLine(Clean(text));

    public void Failure(string what, string fix)
    {
        Note("error: " + what);
        Note("  fix: " + fix);
    }

    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = TableBorder.None, ShowHeaders = true };
        foreach (var column in columns)
        {
            // The first is the id: on a narrow terminal the others wrap, but the id can still be copied.
            table.AddColumn(new TableColumn(Markup.Escape(column.ToUpperInvariant())) { NoWrap = table.Columns.Count == 0 }.PadLeft(0).PadRight(2));
        }

        foreach (var row in rows)
        {
            table.AddRow(row.Select(cell => Cell(cell)).ToArray());
        }

        _console.Write(table);
        if (table.Rows.Count == 0)
        {
            Note("(none)");
        }
    }

    /// <summary>One thing, a line per field; empty fields are left out.</summary>
    public void Fields(params IEnumerable<(string Name, string Value)> fields)
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap().PadLeft(0).PadRight(2)).AddColumn(new GridColumn().PadLeft(0).PadRight(0));
        foreach (var (name, value) in fields.Where(field => field.Value.Length > 0))
        {
            grid.AddRow(new Markup(Markup.Escape(name)), Cell(value, keepLines: true));
        }

        _console.Write(grid);
    }

    /// <summary>How to get the page after this one, when there is one.</summary>
    public void NextPage(JsonElement page)
    {
        if (page.Text("next") is { Length: > 0 } cursor)
        {
            Note($"(there is more: repeat with --cursor '{cursor}')");
        }
    }

    /// <summary>A time as its age by the local clock, and in UTC. Empty when there is none.</summary>
    public string Time(JsonElement from, string name) =>
        from.Value(name) is { ValueKind: JsonValueKind.String } value && value.TryGetDateTimeOffset(out var at)
            ? $"{Age(_terminal.Clock.GetUtcNow() - at)} ({at.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)} UTC)"
            : "";

    internal static string Age(TimeSpan age)
    {
        var size = age.Duration();
        var text = size.TotalSeconds < 60 ? $"{(int)size.TotalSeconds} s"
            : size.TotalMinutes < 60 ? $"{(int)size.TotalMinutes} min"
            : size.TotalHours < 48 ? $"{(int)size.TotalHours} h"
            : $"{(int)size.TotalDays} d";
        return age < TimeSpan.Zero ? "in " + text : text + " ago";
    }

    /// <summary>
    /// Escapes control, direction and other invisible characters: a label must not move the cursor, recolour or reorder what its reader
    /// sees, or look like another one.
    /// </summary>
    internal static string Clean(string text, bool keepLines = false)
    {
        if (!Excerpt.HasInvisible(text))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        for (ReadOnlySpan<char> rest = text; rest.Length > 0;)
        {
            var isWhole = Rune.DecodeFromUtf16(rest, out var rune, out var length) == OperationStatus.Done;
            var isSafe = isWhole && ((keepLines && rune.Value == '\n') || !Excerpt.IsInvisible(rune));
            _ = isSafe ? clean.Append(rest[..length])
                : rune.IsBmp ? clean.Append(CultureInfo.InvariantCulture, $"\\u{(int)rest[0]:x4}")
                : clean.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}");
            rest = rest[length..];
        }

        return clean.ToString();
    }

    private static Text Cell(string value, bool keepLines = false) => new(Clean(value, keepLines), value switch
    {
        "succeeded" or "ALLOW" => new Style(Color.Green),
        "held" or "retrying" or "REQUIRE_APPROVAL" => new Style(Color.Yellow),
        "denied" or "rejected" or "expired" or "dead_lettered" or "quarantined" or "DENY" => new Style(Color.Red),
        _ => Style.Plain,
    });
}
