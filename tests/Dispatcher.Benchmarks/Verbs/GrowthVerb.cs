using System.CommandLine;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary><c>growth</c>: how the cost of a job and the memory of the server grow with stored jobs, topics and jobs run.</summary>
internal static class GrowthVerb
{
    private const string StoredFew = "stored-few";
    private const string StoredMany = "stored-many";
    private const string OneTopic = "topics-1";
    private const string ManyTopics = "topics-100";
    private const string LongRunName = "long-run";
    private const int Few = 10_000;
    private const int QuickDivisor = 20;
    private const int RoundsOfLongRun = 10;

    private static readonly Contestant[] All =
    [
        AllContestants.Product(StoredFew, "10,000 finished jobs are stored", new OursSetup()),
        AllContestants.Product(StoredMany, "as many as --stored", new OursSetup()),
        AllContestants.Product(OneTopic, "jobs of one topic", new OursSetup()),
        AllContestants.Product(ManyTopics, "jobs of 100 topics", new OursSetup { Topics = 100 }),
        AllContestants.Product(LongRunName, "memory of the server over all of --jobs", new OursSetup()),
    ];

    private static readonly BenchmarkOptions Options = new(
        100_000,
        "Jobs of the long run; each round of the comparisons has a tenth.",
        All
    );

    private static readonly Option<int> Stored = new("--stored")
    {
        Description = "Finished jobs that are stored for stored-many, about 6 KB each; with --quick a twentieth. At least 10,000.",
        HelpName = "N",
        DefaultValueFactory = _ => 2_000_000,
    };

    public static Command Create()
    {
        var verb = new Command(
            "growth",
            "Cost of a job with few and many stored jobs and topics, and the server's memory over a long run; about 20 minutes "
                + "and 12 GB of disk."
        );
        Options.AddTo(verb);
        verb.Add(Stored);
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult call, CancellationToken cancellationToken)
    {
        await using var servers = await PrivateServers.StartAsync(cancellationToken);
        var chosen = Options.Contestants(call);
        var stored = await CompareAsync(call, servers, [.. chosen.Where(one => one.Name is StoredFew or StoredMany)], cancellationToken);
        var topics = await CompareAsync(call, servers, [.. chosen.Where(one => one.Name is OneTopic or ManyTopics)], cancellationToken);
        var longRun = new Results("");
        if (chosen.Any(one => one.Name == LongRunName))
        {
            using var broker = new BrokerAdmin(servers);
            await using var stage = await Stage.MakeAsync(servers, broker, cancellationToken);
            foreach (var (name, values) in await LongRun.RunAsync(stage, Options.Jobs(call), Rounds.Progress, cancellationToken))
            {
                longRun.Add(name, values);
            }
        }

        Options.Write(
            call,
            (stored, $"Stored jobs: CPU seconds for 1,000 jobs; median, spread and ratio to {StoredFew}", Measures.Cost),
            (stored, $"Stored jobs: for each job; median, spread and ratio to {StoredFew}", Measures.Counts),
            (topics, $"Topics: CPU seconds for 1,000 jobs; median, spread and ratio to {OneTopic}", Measures.Cost),
            (topics, $"Topics: for each job; median, spread and ratio to {OneTopic}", Measures.Counts),
            (longRun, "Long run of one server", LongRun.Measures)
        );
    }

    private static async Task<Results> CompareAsync(
        ParseResult call,
        PrivateServers servers,
        IReadOnlyList<Contestant> contestants,
        CancellationToken cancellationToken
    )
    {
        using var broker = new BrokerAdmin(servers);
        var databases = new Dictionary<string, string>();
        foreach (var contestant in contestants.Where(one => one.Name is StoredFew or StoredMany))
        {
            var jobs =
                contestant.Name == StoredFew ? Few : Math.Max(Few, call.GetValue(Stored) / (Options.IsQuick(call) ? QuickDivisor : 1));
            Rounds.Progress($"storing {jobs:#,0} jobs for {contestant.Name}");
            databases[contestant.Name] = await StoredHistory.MakeAsync(servers, broker, contestant.Name, jobs, cancellationToken);
        }

        var size = Options.Size(call);
        size = size with { Jobs = size.Jobs / RoundsOfLongRun, WarmUp = Math.Max(1_000, size.WarmUp / RoundsOfLongRun) };
        return await Rounds.RunAsync(
            servers,
            contestants,
            size.Rounds,
            (stage, contestant) => ThroughputRound.RunAsync(stage, contestant, size, cancellationToken),
            cancellationToken,
            contestants is [var first, ..] ? first.Name : "",
            databases
        );
    }
}
