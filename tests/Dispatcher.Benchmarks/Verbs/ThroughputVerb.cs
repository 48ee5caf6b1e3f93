using System.CommandLine;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary><c>throughput</c>: jobs per second and the cost of a job, beside the limit of the same run.</summary>
internal static class ThroughputVerb
{
    private static readonly BenchmarkOptions Options = new(
        10_000,
        "Measured jobs of a round.",
        AllContestants.OfThroughput,
        warmUp: BenchmarkOptions.Warm
    );

    public static Command Create()
    {
        var verb = new Command(
            "throughput",
            "Jobs per second, and CPU, commits, statements, messages and memory of a job; about 25 minutes on two cores."
        );
        Options.AddTo(verb);
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult call, CancellationToken cancellationToken)
    {
        await using var servers = await PrivateServers.StartAsync(cancellationToken);
        var size = Options.Size(call);
        var results = await Rounds.RunAsync(
            servers,
            Options.Contestants(call),
            size.Rounds,
            (stage, contestant) => ThroughputRound.RunAsync(stage, contestant, size, cancellationToken),
            cancellationToken
        );
        Options.Write(
            call,
            (results, $"CPU seconds for 1,000 jobs; median, spread and ratio to {results.Baseline}", Measures.Cost),
            (results, $"For each job; median, spread and ratio to {results.Baseline}", Measures.Counts)
        );
    }
}
