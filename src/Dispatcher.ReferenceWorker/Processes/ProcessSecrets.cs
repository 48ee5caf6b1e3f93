using System.Runtime.InteropServices;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// Keeps this process's environment and memory from the programs it starts. They run as the same user, who may otherwise read <c>/proc/PID/environ</c> and
/// <c>/proc/PID/mem</c> of every process of its own, and with them the API key and the database's password.
/// </summary>
public static partial class ProcessSecrets
{
    private const int SetDumpable = 4;
    private const string DiagnosticsVariable = "DOTNET_EnableDiagnostics";

    /// <summary>
    /// True: the runtime of this process has no diagnostics socket. Every process of this user can read the environment through that socket
    /// and load code into the runtime. The runtime reads the variable once, at its start.
    /// </summary>
    internal static bool DiagnosticsAreOff { get; } = Environment.GetEnvironmentVariable(DiagnosticsVariable) == "0";

    /// <summary>
    /// Makes this process non-dumpable on Linux; elsewhere it does nothing. No core dump is written any more, and a debugger needs root. Root reads it still: do not run
    /// the worker as root. A started program is dumpable again.
    /// </summary>
    /// <exception cref="InvalidOperationException">The system refused: programs must not be started beside open secrets.</exception>
    public static void Protect()
    {
        if (OperatingSystem.IsLinux() && Control(SetDumpable, 0, 0, 0, 0) != 0)
        {
            throw new InvalidOperationException(
                $"prctl(PR_SET_DUMPABLE, 0) failed: {Marshal.GetLastPInvokeErrorMessage()}. Without it the programs that jobs start can read the worker's secrets."
            );
        }
    }

    /// <summary>
    /// Starts the program of this process again, on Linux, with <c>DOTNET_EnableDiagnostics=0</c>. Process id, arguments, environment and open
    /// streams stay the same. Call it first in <c>Main</c>. A value that the user has set is kept.
    /// </summary>
    /// <remarks>Returns where nothing is to be done or the system refuses it. The pools that run programs are refused then.</remarks>
    public static void RestartWithoutDiagnostics()
    {
        if (
            !OperatingSystem.IsLinux()
            || Environment.GetEnvironmentVariable(DiagnosticsVariable) is { Length: > 0 }
            || Environment.ProcessPath is not { } program
        )
        {
            return;
        }

        try
        {
            var arguments = File.ReadAllBytes("/proc/self/cmdline");
            RemoveDiagnosticsFiles();
            if (SetVariable(DiagnosticsVariable, "0", 1) == 0)
            {
                Execute(program, arguments);
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The process goes on with diagnostics, and Programs refuses to start.
        }
    }

    // The runtime removes its sockets and pipes only when it ends, not when another program replaces it.
    private static void RemoveDiagnosticsFiles()
    {
        foreach (var kind in (string[])["dotnet-diagnostic", "clr-debug-pipe"])
        {
            foreach (var file in Directory.EnumerateFiles(Path.GetTempPath(), $"{kind}-{Environment.ProcessId}-*"))
            {
                File.Delete(file);
            }
        }
    }

    // Each argument ends with a zero byte. They are not decoded, because they need not be UTF-8.
    private static void Execute(string program, byte[] arguments)
    {
        var block = Marshal.AllocHGlobal(arguments.Length);
        Marshal.Copy(arguments, 0, block, arguments.Length);
        List<nint> starts = [block];
        for (var at = 0; at < arguments.Length; at++)
        {
            if (arguments[at] == 0)
            {
                starts.Add(block + at + 1);
            }
        }

        starts[^1] = 0;
        // Returns only if it fails.
        _ = Execute(program, starts.ToArray());
        Marshal.FreeHGlobal(block);
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "execv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Execute(string program, nint[] arguments);

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Control(int option, nuint value, nuint unused3, nuint unused4, nuint unused5);
}
