using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary>Runs the contestants in turn, so that a slow moment of the machine meets all of them. Progress: standard error.</summary>
internal static class Rounds
{
    /// <param name="servers">Where they run.</param>
    /// <param name="contestants">In the order of a round.</param>
    /// <param name="rounds">How many.</param>
    /// <param name="round">Runs one contestant on a new stage and returns what it measured.</param>
    /// <param name="cancellationToken">Ends the run.</param>
    /// <param name="baseline">The contestant that the others are compared with.</param>
    /// <param name="databases">By contestant, a database that it uses in every round. The others get a new one each time.</param>
    public static async Task<Results> RunAsync(
        PrivateServers servers,
        IReadOnlyList<Contestant> contestants,
        int rounds,
        Func<Stage, Contestant, Task<Dictionary<string, double>>> round,
        CancellationToken cancellationToken,
        string baseline = AllContestants.LimitName,
        IReadOnlyDictionary<string, string>? databases = null
    )
    {
        using var broker = new BrokerAdmin(servers);
        var results = new Results(baseline);
        for (var number = 1; number <= rounds; number++)
        {
            foreach (var contestant in contestants)
            {
                await using var stage = await Stage.MakeAsync(
                    servers,
                    broker,
                    cancellationToken,
                    databases?.GetValueOrDefault(contestant.Name)
                );
                var values = await round(stage, contestant);
                results.Add(contestant.Name, values);
                Progress($"round {number} of {rounds}, {contestant.Name}: {Line(values)}");
            }
        }

        return results;
    }

    public static void Progress(string text) => Console.Error.WriteLine(text);

    public static string Line(Dictionary<string, double> values) =>
        string.Join(", ", values.Select(value => $"{value.Key} {ResultTable.Number(value.Value)}"));
}
