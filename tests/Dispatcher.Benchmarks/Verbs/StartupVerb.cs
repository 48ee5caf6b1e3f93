using System.CommandLine;
using System.Diagnostics;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Measuring;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Verbs;

/// <summary><c>startup</c>: the time from the start of <c>dispatcher serve</c> until it is ready.</summary>
internal static class StartupVerb
{
    private const string Server = "dispatcher serve";
    private const string Ready = "ms until ready";
    private const string Cpu = "CPU seconds until ready";
    private const string Memory = "MiB when ready";

    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(5);
    private static readonly BenchmarkOptions Options = new(0, "", [], rounds: 7);

    public static Command Create()
    {
        var verb = new Command(
            "startup",
            "Time from the start of \"dispatcher serve\" on a migrated database until /health/ready answers 200; about a minute."
        );
        Options.AddTo(verb);
        verb.SetAction(RunAsync);
        return verb;
    }

    private static async Task RunAsync(ParseResult call, CancellationToken cancellationToken)
    {
        await using var servers = await PrivateServers.StartAsync(cancellationToken);
        using var broker = new BrokerAdmin(servers);
        await using var stage = await Stage.MakeAsync(servers, broker, cancellationToken);
        BenchPolicies.Write(OursContestant.PolicyFolder(stage), topics: 1);

        // The first start activates the bundle and declares the queues, and the files of the program are not in memory yet.
        await StartAsync(stage, cancellationToken);
        var results = new Results(Server);
        for (var round = 0; round < Options.Size(call).Rounds; round++)
        {
            results.Add(Server, await StartAsync(stage, cancellationToken));
        }

        Options.Write(call, (results, "Start on a migrated database; median and spread", [Ready, Cpu, Memory]));
    }

    private static async Task<Dictionary<string, double>> StartAsync(Stage stage, CancellationToken cancellationToken)
    {
        var start = Stopwatch.GetTimestamp();
        var (process, client) = OursContestant.Serve(stage);
        await using (process)
        using (client)
        {
            await OursContestant.ReadyAsync(process, client, Poll, cancellationToken);
            var values = new Dictionary<string, double>
            {
                [Ready] = Stopwatch.GetElapsedTime(start).TotalMilliseconds,
                [Cpu] = LinuxProcess.CpuSeconds(process.Id),
                [Memory] = LinuxProcess.Mebibytes(process.Id),
            };
            Rounds.Progress(Rounds.Line(values));
            return values;
        }
    }
}
