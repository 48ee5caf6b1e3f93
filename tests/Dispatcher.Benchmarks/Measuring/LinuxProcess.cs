using System.Globalization;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>What <c>/proc</c> knows of a process.</summary>
internal static class LinuxProcess
{
    /// <summary>USER_HZ, which is 100 on every platform of .NET.</summary>
    private const double TicksPerSecond = 100;

    // Indexes after the name, which is in parentheses and may have spaces: state is 0.
    private const int Parent = 1;
    private const int OwnUser = 11;
    private const int OwnSystem = 12;
    private const int ChildrenUser = 13;
    private const int ChildrenSystem = 14;

    /// <summary>CPU seconds of a process itself since its start.</summary>
    public static double CpuSeconds(int id) => Stat(id) is { } stat ? Seconds(stat, OwnUser, OwnSystem) : 0;

    /// <summary>CPU seconds of a process, of its living children, and of those that have ended.</summary>
    public static double CpuSecondsOfTree(int id)
    {
        var sum = Stat(id) is { } stat ? Seconds(stat, OwnUser, OwnSystem, ChildrenUser, ChildrenSystem) : 0;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (
                int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out var child)
                && Stat(child) is { } ofChild
                && ofChild[Parent] == id.ToString(CultureInfo.InvariantCulture)
            )
            {
                sum += Seconds(ofChild, OwnUser, OwnSystem);
            }
        }

        return sum;
    }

    /// <summary>The most memory that a process ever had resident, in MiB.</summary>
    public static double PeakMebibytes(int id) => StatusKibibytes(id, "VmHWM:") / 1024;

    /// <summary>The memory that a process has resident now, in MiB.</summary>
    public static double Mebibytes(int id) => StatusKibibytes(id, "VmRSS:") / 1024;

    private static double StatusKibibytes(int id, string name) =>
        double.Parse(
            File.ReadLines($"/proc/{id}/status")
                .Single(line => line.StartsWith(name, StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
            CultureInfo.InvariantCulture
        );

    private static double Seconds(string[] stat, params int[] fields) =>
        fields.Sum(field => double.Parse(stat[field], CultureInfo.InvariantCulture)) / TicksPerSecond;

    /// <summary>Null: the process has ended.</summary>
    private static string[]? Stat(int id)
    {
        try
        {
            var text = File.ReadAllText($"/proc/{id}/stat");
            return text[(text.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return null;
        }
    }
}
