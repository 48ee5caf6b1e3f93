using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// Everything that a process started, however it hid: its children, its process group (a child whose parent is gone is still in it), and on Linux every process that
/// carries the run's mark in its environment (a daemon that left the group).
/// </summary>
internal sealed class ProcessTree(Process root, string mark)
{
    /// <summary>The environment variable that marks all processes of a run.</summary>
    public const string MarkVariable = "DISPATCHER_RUN";

    private const int Rounds = 5;
    private const int SigKill = 9;

    /// <summary>Kills all of it. Again and again, since a process may fork while its siblings are being killed.</summary>
    public void Kill()
    {
        KillDescendants();
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        // The root was started as leader of its own session, so its id is the group's; none left is fine.
        _ = Signal(-root.Id, SigKill);
        for (var round = 0; round < Rounds && Marked() is { Count: > 0 } marked; round++)
        {
            foreach (var id in marked)
            {
                _ = Signal(id, SigKill);
            }
        }
    }

    private void KillDescendants()
    {
        try
        {
            root.Kill(entireProcessTree: true);
        }
        catch (Exception exception) when (exception is InvalidOperationException or Win32Exception or AggregateException or NotSupportedException)
        {
            // Ended by itself, or some descendant did; the group and the mark find the rest.
        }
    }

    private List<int> Marked()
    {
        List<int> ids = [];
        if (!OperatingSystem.IsLinux())
        {
            return ids;
        }

        var wanted = Encoding.UTF8.GetBytes($"{MarkVariable}={mark}\0");
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(folder), out var id) && id != Environment.ProcessId && EnvironmentOf(folder).AsSpan().IndexOf(wanted) >= 0)
            {
                ids.Add(id);
            }
        }

        return ids;
    }

    private static byte[] EnvironmentOf(string folder)
    {
        try
        {
            return File.ReadAllBytes(folder + "/environ");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Gone meanwhile, or another user's: not ours.
            return [];
        }
    }

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int Signal(int process, int signal);
}
