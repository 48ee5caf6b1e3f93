using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>One round of one contestant: start, warm-up, measured jobs, check of the result.</summary>
internal static class ThroughputRound
{
    /// <summary>The broker updates its counters every 5 s.</summary>
    private static readonly TimeSpan BrokerStatistics = TimeSpan.FromSeconds(6);

    /// <summary>A backend of the database reports its last commits when its connection is closed.</summary>
    private static readonly TimeSpan DatabaseStatistics = TimeSpan.FromSeconds(1);

    public static async Task<Dictionary<string, double>> RunAsync(
        Stage stage,
        Contestant contestant,
        BenchmarkSize size,
        CancellationToken cancellationToken
    )
    {
        var commits = await stage.CommitsAsync(cancellationToken);
        var (values, published) = await MeasureAsync(stage, contestant, size, cancellationToken);
        await Task.Delay(DatabaseStatistics, cancellationToken);
        values[Measures.Commits] = (double)(await stage.CommitsAsync(cancellationToken) - commits) / published;
        return values;
    }

    private static async Task<(Dictionary<string, double> Values, int Published)> MeasureAsync(
        Stage stage,
        Contestant contestant,
        BenchmarkSize size,
        CancellationToken cancellationToken
    )
    {
        await using var running = await contestant.StartAsync(stage, false, cancellationToken);
        await using var publisher = await JobPublisher.ConnectAsync(stage, running, cancellationToken);
        await publisher.RunAsync(size.WarmUp, cancellationToken);
        await running.SettleAsync(publisher.Published, cancellationToken);

        var before = await CostSnapshot.TakeAsync(stage, running, cancellationToken);
        var rate = await publisher.RunAsync(size.Jobs, cancellationToken);
        await running.SettleAsync(publisher.Published, cancellationToken);
        var after = await CostSnapshot.TakeAsync(stage, running, cancellationToken);

        var values = after.PerJobSince(before, size.Jobs);
        values[Measures.JobsPerSecond] = rate;
        AddPeaks(values, running);
        await Task.Delay(BrokerStatistics, cancellationToken);
        values[Measures.Messages] = (double)await stage.PublishedAsync(cancellationToken) / publisher.Published;
        return (values, publisher.Published);
    }

    private static void AddPeaks(Dictionary<string, double> values, RunningContestant running)
    {
        foreach (var group in running.Processes.GroupBy(one => one.Role))
        {
            var name = group.Key == RunningContestant.Server ? Measures.PeakServer : Measures.PeakWorker;
            values[name] = group.Max(one => LinuxProcess.PeakMebibytes(one.Process.Id));
        }
    }
}

/// <summary>How much a round does.</summary>
/// <param name="Rounds">Rounds of each contestant.</param>
/// <param name="Jobs">Measured jobs of a round.</param>
/// <param name="WarmUp">Jobs before them, which the runtime needs to compile what they use.</param>
internal sealed record BenchmarkSize(int Rounds, int Jobs, int WarmUp);
