using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Staging;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>All cumulative counters of a contestant at one moment. Two of them give the cost of the jobs between.</summary>
internal sealed class CostSnapshot
{
    private const double JobsOfCpu = 1_000;
    private const double BytesOfAllocation = 1_000;

    private readonly Dictionary<string, double> _values = [];

    public static async Task<CostSnapshot> TakeAsync(Stage stage, RunningContestant running, CancellationToken cancellationToken)
    {
        var snapshot = new CostSnapshot();
        var values = snapshot._values;
        foreach (var (role, cpu, allocated) in Roles)
        {
            var processes = running.Processes.Where(one => one.Role == role).Select(one => one.Process).ToList();
            if (processes.Count > 0)
            {
                values[cpu] = processes.Sum(process => LinuxProcess.CpuSeconds(process.Id)) * JobsOfCpu;
                if (await running.AllocatedAsync(role, cancellationToken) is { } bytes)
                {
                    values[allocated] = bytes / BytesOfAllocation;
                }
            }
        }

        values[Measures.CpuBroker] = LinuxProcess.CpuSecondsOfTree(stage.Servers.BrokerProcess) * JobsOfCpu;
        values[Measures.CpuDatabase] = LinuxProcess.CpuSecondsOfTree(stage.Servers.PostgresProcess) * JobsOfCpu;
        values[Measures.CpuTotal] = values.Where(value => CpuMeasures.Contains(value.Key)).Sum(value => value.Value);
        if (stage.Servers.CountsStatements)
        {
            values[Measures.Statements] = await stage.StatementsAsync(cancellationToken);
        }

        return snapshot;
    }

    /// <summary>What one job cost since an earlier snapshot; CPU is for 1,000 jobs.</summary>
    public Dictionary<string, double> PerJobSince(CostSnapshot earlier, int jobs) =>
        _values
            .Where(value => earlier._values.ContainsKey(value.Key))
            .ToDictionary(value => value.Key, value => (value.Value - earlier._values[value.Key]) / jobs);

    private static readonly (string Role, string Cpu, string Allocated)[] Roles =
    [
        (RunningContestant.Server, Measures.CpuServer, Measures.AllocatedServer),
        (RunningContestant.Worker, Measures.CpuWorker, Measures.AllocatedWorker),
    ];

    private static readonly string[] CpuMeasures = [Measures.CpuServer, Measures.CpuWorker, Measures.CpuBroker, Measures.CpuDatabase];
}
