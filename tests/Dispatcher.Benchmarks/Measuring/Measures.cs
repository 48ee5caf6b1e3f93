namespace Dispatcher.Benchmarks.Measuring;

/// <summary>The names of what a round measures, as they are in the tables and in the JSON.</summary>
internal static class Measures
{
    public const string JobsPerSecond = "jobs/s";
    public const string CpuServer = "CPU server";
    public const string CpuWorker = "CPU worker";
    public const string CpuBroker = "CPU broker";
    public const string CpuDatabase = "CPU database";
    public const string CpuTotal = "CPU total";
    public const string Commits = "commits";
    public const string Statements = "statements";
    public const string Messages = "messages";
    public const string AllocatedServer = "KB allocated server";
    public const string AllocatedWorker = "KB allocated worker";
    public const string PeakServer = "peak MiB server";
    public const string PeakWorker = "peak MiB worker";

    /// <summary>CPU seconds for 1,000 jobs.</summary>
    public static readonly string[] Cost = [JobsPerSecond, CpuServer, CpuWorker, CpuBroker, CpuDatabase, CpuTotal];

    /// <summary>Numbers for each job, and the memory of a process.</summary>
    public static readonly string[] Counts = [Commits, Statements, Messages, AllocatedServer, AllocatedWorker, PeakServer, PeakWorker];
}
