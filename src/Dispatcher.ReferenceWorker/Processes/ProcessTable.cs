using System.Diagnostics;
using System.Globalization;
using System.Runtime.Versioning;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>One process as read from <c>/proc/PID/stat</c>.</summary>
internal readonly record struct ProcessEntry(int Id, int Parent, int Session);

/// <summary>Finds processes by their ancestors and kills them.</summary>
[SupportedOSPlatform("linux")]
internal static class ProcessTable
{
    /// <summary>
    /// All descendants of a process. Includes those shown as zombies, because only the first thread of such a process may have ended.
    /// </summary>
    public static List<int> Below(int process)
    {
        var children = Read().ToLookup(entry => entry.Parent);
        List<int> found = [];
        Stack<int> pending = new([process]);
        while (pending.TryPop(out var parent))
        {
            foreach (var child in children[parent])
            {
                found.Add(child.Id);
                pending.Push(child.Id);
            }
        }

        return found;
    }

    /// <summary>
    /// The direct children of this process, including every adopted orphan. The kernel keeps this list for each thread and gives orphans to
    /// the first one. That list is a hundred times cheaper to read than the whole table.
    /// </summary>
    public static IReadOnlyList<int> Children()
    {
        var self = Environment.ProcessId.ToString(CultureInfo.InvariantCulture);
        try
        {
            var first = ChildrenOf($"/proc/self/task/{self}");
            return first.Count > 0 ? first : [.. Directory.EnumerateDirectories("/proc/self/task").SelectMany(ChildrenOf)];
        }
        catch (IOException)
        {
            // The kernel lacks CONFIG_PROC_CHILDREN, or a thread ended during the read.
            return [.. Read().Where(entry => entry.Parent == Environment.ProcessId).Select(entry => entry.Id)];
        }
    }

    /// <summary>
    /// Stops all processes that <paramref name="find"/> returns until it returns no new one, then kills them. A stopped process no longer
    /// forks and still counts against the limit of processes. So this stops a fork bomb, which kills alone cannot.
    /// </summary>
    public static void FreezeAndKill(Func<IReadOnlyList<int>> find, TimeSpan limit)
    {
        var watch = Stopwatch.StartNew();
        HashSet<int> frozen = [];
        bool found;
        do
        {
            found = false;
            foreach (var process in find().Where(frozen.Add))
            {
                found = true;
                Kernel.Send(process, Kernel.SigStop);
            }
        } while (found && watch.Elapsed < limit);

        foreach (var process in frozen)
        {
            Kernel.Send(process, Kernel.SigKill);
        }
    }

    /// <summary>
    /// Kills a process and its descendants, each as soon as it is found. In a chain in which each process starts the next one and ends,
    /// only one process can start another.
    /// </summary>
    public static void KillTree(int process)
    {
        Kernel.Send(process, Kernel.SigKill);
        try
        {
            var id = process.ToString(CultureInfo.InvariantCulture);
            foreach (var child in ChildrenOf($"/proc/{id}/task/{id}"))
            {
                KillTree(child);
            }
        }
        catch (IOException)
        {
            // The process has ended, and this process is now the parent of its children.
        }
    }

    /// <summary>The entry of one process. Null: it has ended and was reaped.</summary>
    public static ProcessEntry? EntryOf(int id)
    {
        try
        {
            // "PID (name) state parent group session …"; the name may contain any characters, including ") ".
            var stat = File.ReadAllText($"/proc/{id.ToString(CultureInfo.InvariantCulture)}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ', 5);
            return new ProcessEntry(id, Number(fields[1]), Number(fields[3]));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The process ended during the read, or belongs to another user.
            return null;
        }
    }

    private static List<int> ChildrenOf(string thread) =>
        [.. File.ReadAllText(thread + "/children").Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(Number)];

    // All processes that are visible to this user.
    private static IEnumerable<ProcessEntry> Read() =>
        Directory
            .EnumerateDirectories("/proc")
            .Select(folder =>
                int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                    ? EntryOf(id)
                    : null
            )
            .OfType<ProcessEntry>();

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);
}
