using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary>Runs the contestants in turn, so that a slow moment of the machine meets all of them. Progress: standard error.</summary>
internal static class Rounds
{
    public static async Task<Results> RunAsync(
        PrivateServers servers,
        IReadOnlyList<Contestant> contestants,
        int rounds,
        Func<Stage, Contestant, Task<Dictionary<string, double>>> round,
        CancellationToken cancellationToken
    )
    {
        using var broker = new BrokerAdmin(servers);
        var results = new Results(AllContestants.LimitName);
        for (var number = 1; number <= rounds; number++)
        {
            foreach (var contestant in contestants)
            {
                await using var stage = await Stage.MakeAsync(servers, broker, cancellationToken);
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
