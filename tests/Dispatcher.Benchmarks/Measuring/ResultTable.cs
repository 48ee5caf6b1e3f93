using System.Globalization;
using Spectre.Console;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>Prints results: the median, below it the spread over the rounds, and the ratio to the baseline.</summary>
internal static class ResultTable
{
    private const int WidthWithoutTerminal = 160;

    public static void Write(Results results, string title, string[] measures)
    {
        var table = new Table().Title(Markup.Escape(title)).Border(TableBorder.Simple);
        table.AddColumn("");
        foreach (var measure in measures)
        {
            table.AddColumn(new TableColumn(Markup.Escape(measure)).RightAligned());
        }

        foreach (var contestant in results.Contestants)
        {
            table.AddRow([Markup.Escape(contestant), .. measures.Select(measure => Cell(results.Find(contestant, measure)))]);
        }

        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(Console.Out) });
        console.Profile.Width = Math.Max(console.Profile.Width, WidthWithoutTerminal);
        console.Write(table);
    }

    public static string Number(double value) =>
        Math.Abs(value) switch
        {
            >= 100 => value.ToString("#,0", CultureInfo.InvariantCulture),
            >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
            _ => value.ToString("0.000", CultureInfo.InvariantCulture),
        };

    private static string Cell(Spread? spread)
    {
        if (spread is null)
        {
            return "-";
        }

        var ratio = spread.Ratio is { } value ? $"\n{value.ToString(value < 10 ? "0.00" : "#,0", CultureInfo.InvariantCulture)} x" : "";
        var range = spread.Rounds > 1 ? $"\n{Number(spread.Min)}..{Number(spread.Max)}" : "";
        return Markup.Escape($"{Number(spread.Median)}{range}{ratio}");
    }
}
