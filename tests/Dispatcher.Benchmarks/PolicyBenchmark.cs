using System.Diagnostics;
using System.Globalization;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.Benchmarks;

/// <summary>One policy decision by the number of rules, against testing every rule of the bundle.</summary>
internal static class PolicyBenchmark
{
    private const int MostMatches = 8;
    private const int Loads = 3;

    private static readonly int[] RuleCounts = [10, 100, 1_000, 10_000];
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static void Run()
    {
        // The runtime optimises what it has run for a while: without this the first lines would measure its compiler.
        foreach (var shape in BundleShape.All)
        {
            Measure(Load(shape.Files(RuleCounts[0])), shape.Jobs(RuleCounts[0]));
        }

        Write("rules told apart by", "rules", "load ms", "ns", "bytes", "scan ns", "scan bytes", "scan/ours", "vs 10 rules");
        foreach (var shape in BundleShape.All)
        {
            var baseline = double.NaN;
            foreach (var rules in RuleCounts)
            {
                var files = shape.Files(rules);
                var loading = LoadMilliseconds(files);
                var costs = Measure(Load(files), shape.Jobs(rules));
                baseline = double.IsNaN(baseline) ? costs[0].Nanoseconds : baseline;
                Write(
                    shape.Name,
                    Number(rules),
                    Number(loading),
                    Number(costs[0].Nanoseconds),
                    Number(costs[0].Bytes),
                    Number(costs[1].Nanoseconds),
                    Number(costs[1].Bytes),
                    Ratio(costs[1].Nanoseconds / costs[0].Nanoseconds),
                    Ratio(costs[0].Nanoseconds / baseline)
                );
            }
        }
    }

    private static Cost[] Measure(Bundle bundle, JobFacts[] jobs)
    {
        foreach (var job in jobs)
        {
            Check(bundle.Decide(job, Now), Scan(bundle, job));
        }

        return Measurement.Compare(call => bundle.Decide(jobs[call % jobs.Length], Now), call => Scan(bundle, jobs[call % jobs.Length]));
    }

    private static Decision Scan(Bundle bundle, JobFacts job) => bundle.DecideByScan(job, Now);

    /// <summary>A number means nothing when what was measured is not the work meant.</summary>
    private static void Check(Decision ours, Decision scanned)
    {
        if (ours.MatchedRules.Count is 0 or > MostMatches || ours.BasisHash != scanned.BasisHash)
        {
            throw new InvalidOperationException(
                $"{ours.MatchedRules.Count} rules match ({ours.Reason}), a scan says {scanned.Reason}; "
                    + $"expected 1 to {MostMatches} and the same answer."
            );
        }
    }

    private static double LoadMilliseconds(BundleFile[] files) =>
        Measurement.Median([
            .. Enumerable
                .Range(0, Loads)
                .Select(_ =>
                {
                    var start = Stopwatch.GetTimestamp();
                    Load(files);
                    return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                }),
        ]);

    private static Bundle Load(BundleFile[] files)
    {
        var load = Bundle.Load(files);
        return load.Bundle ?? throw new InvalidOperationException(load.Errors[0].ToString());
    }

    private static void Write(params string[] cells) =>
        Console.WriteLine(string.Concat(cells.Select((cell, i) => i == 0 ? cell.PadRight(21) : cell.PadLeft(13))));

    private static string Number(double value) => value.ToString(value < 10 ? "0.0" : "#,0", CultureInfo.InvariantCulture);

    private static string Ratio(double value) => value.ToString("#,0.0", CultureInfo.InvariantCulture) + " x";
}
