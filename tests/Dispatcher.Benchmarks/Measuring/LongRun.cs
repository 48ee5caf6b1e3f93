using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>The memory of one server over many jobs, tenth by tenth.</summary>
internal static class LongRun
{
    public const string Resident = "MiB server";

    public static readonly string[] Measures = [Measuring.Measures.JobsPerSecond, Resident, Measuring.Measures.PeakServer];

    private const int Parts = 10;

    /// <returns>The values after each tenth of the jobs, by its name.</returns>
    public static async Task<IReadOnlyList<(string Name, Dictionary<string, double> Values)>> RunAsync(
        Stage stage,
        int jobs,
        Action<string> progress,
        CancellationToken cancellationToken
    )
    {
        await using var running = await OursContestant.StartAsync(stage, new OursSetup(), cancellationToken);
        await using var publisher = await JobPublisher.ConnectAsync(stage, running, cancellationToken);
        var server = running.Processes.First(one => one.Role == RunningContestant.Server).Process.Id;
        List<(string, Dictionary<string, double>)> parts = [];
        for (var part = 1; part <= Parts; part++)
        {
            var values = new Dictionary<string, double>
            {
                [Measuring.Measures.JobsPerSecond] = await publisher.RunAsync(jobs / Parts, cancellationToken),
                [Resident] = LinuxProcess.Mebibytes(server),
                [Measuring.Measures.PeakServer] = LinuxProcess.PeakMebibytes(server),
            };
            var name = $"after {publisher.Published:#,0} jobs";
            parts.Add((name, values));
            progress($"{name}: {string.Join(", ", values.Select(value => $"{value.Key} {ResultTable.Number(value.Value)}"))}");
        }

        await running.SettleAsync(publisher.Published, cancellationToken);
        return parts;
    }
}
