using System.Text.Json;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>The measured values of a run: for each contestant and measure one value a round.</summary>
internal sealed class Results(string baseline)
{
    private readonly Dictionary<string, Dictionary<string, List<double>>> _values = [];

    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    public IEnumerable<string> Contestants => _values.Keys;

    /// <summary>The contestant that the others are compared with.</summary>
    public string Baseline => baseline;

    public void Add(string contestant, Dictionary<string, double> round)
    {
        var measures = _values.TryGetValue(contestant, out var known) ? known : _values[contestant] = [];
        foreach (var (measure, value) in round)
        {
            (measures.TryGetValue(measure, out var values) ? values : measures[measure] = []).Add(value);
        }
    }

    /// <summary>Null: the contestant does not have the measure.</summary>
    public Spread? Find(string contestant, string measure)
    {
        if (!_values.TryGetValue(contestant, out var measures) || !measures.TryGetValue(measure, out var values))
        {
            return null;
        }

        var ordered = values.Order().ToList();
        var middle = ordered.Count / 2;
        var median = ordered.Count % 2 == 1 ? ordered[middle] : (ordered[middle - 1] + ordered[middle]) / 2;
        var reference = contestant == baseline ? null : Find(baseline, measure);
        return new Spread(ordered.Count, median, ordered[0], ordered[^1], reference is { Median: > 0 } ? median / reference.Median : null);
    }

    /// <summary>One object: contestant, measure, and its median, spread, ratio and value of each round.</summary>
    public static string ToJson(IEnumerable<Results> results) =>
        JsonSerializer.Serialize(
            results
                .SelectMany(one => one._values.Select(contestant => (one, contestant.Key, contestant.Value)))
                .ToDictionary(
                    row => row.Key,
                    row => row.Value.ToDictionary(cell => cell.Key, cell => row.one.Cell(row.Key, cell.Key, cell.Value))
                ),
            Indented
        );

    private object Cell(string contestant, string measure, List<double> rounds)
    {
        var spread = Find(contestant, measure)!;
        return new
        {
            median = spread.Median,
            min = spread.Min,
            max = spread.Max,
            ratio = spread.Ratio,
            rounds,
        };
    }
}

/// <summary>A measure over the rounds. Ratio: its median to that of the baseline in the same run; null: there is none.</summary>
internal sealed record Spread(int Rounds, double Median, double Min, double Max, double? Ratio);
