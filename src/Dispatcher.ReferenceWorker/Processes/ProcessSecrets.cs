using System.Runtime.InteropServices;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// Keeps this process's environment and memory from the programs it starts. They run as the same user, who may otherwise read <c>/proc/PID/environ</c> and
/// <c>/proc/PID/mem</c> of every process of its own, and with them the API key and the database's password.
/// </summary>
public static partial class ProcessSecrets
{
    private const int SetDumpable = 4;

    /// <summary>
    /// Makes this process non-dumpable on Linux; elsewhere it does nothing. No core dump is written any more, and a debugger needs root. Root reads it still: do not run
    /// the worker as root. A started program is dumpable again.
    /// </summary>
    /// <exception cref="InvalidOperationException">The system refused: programs must not be started beside open secrets.</exception>
    public static void Protect()
    {
        if (OperatingSystem.IsLinux() && Control(SetDumpable, 0, 0, 0, 0) != 0)
        {
            throw new InvalidOperationException($"prctl(PR_SET_DUMPABLE, 0) failed: {Marshal.GetLastPInvokeErrorMessage()}. Without it the programs that jobs start can read the worker's secrets.");
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Control(int option, nuint value, nuint unused3, nuint unused4, nuint unused5);
}
