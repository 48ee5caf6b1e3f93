using System.CommandLine;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary><c>latency</c>: the time from publish to the final event, and of an HTTP submission, at a low fixed rate.</summary>
internal static class LatencyVerb
{
    private static readonly BenchmarkOptions Options = new(50, "Jobs a second.", AllContestants.OfLatency, warmUp: BenchmarkOptions.Warm);
    private static readonly Option<int> Seconds = new("--seconds")
    {
        Description = "How long each round measures; with --quick a fifth.",
        HelpName = "N",
        DefaultValueFactory = _ => 15,
    };

    public static Command Create()
    {
        var verb = new Command(
            "latency",
            "p50 and p99 from publish to the final event of a job, and of POST /api/jobs, at a fixed rate; about 10 minutes."
        );
        Options.AddTo(verb);
        verb.Add(Seconds);
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult call, CancellationToken cancellationToken)
    {
        await using var servers = await PrivateServers.StartAsync(cancellationToken);
        var seconds = call.GetValue(Seconds);
        var size = Options.Size(call);
        var load = new LatencyLoad(Options.Jobs(call, isDivided: false), Options.IsQuick(call) ? Math.Max(1, seconds / 5) : seconds);
        var results = await Rounds.RunAsync(
            servers,
            Options.Contestants(call),
            size.Rounds,
            (stage, contestant) => LatencyRound.RunAsync(stage, contestant, load, size.WarmUp, cancellationToken),
            cancellationToken
        );
        Options.Write(call, (results, $"{load.Rate} jobs/s; median, spread and ratio to {results.Baseline}", LatencyRound.Measures));
    }
}
