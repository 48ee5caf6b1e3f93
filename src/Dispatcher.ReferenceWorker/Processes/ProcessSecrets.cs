using System.Runtime.InteropServices;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>
/// Protects the environment and memory of this process from the programs it starts. They run as the same user and could otherwise read
/// <c>/proc/PID/environ</c> and <c>/proc/PID/mem</c>, which hold the API key and the password of the database.
/// </summary>
public static partial class ProcessSecrets
{
    private const int SetDumpable = 4;
    private const string DiagnosticsVariable = "DOTNET_EnableDiagnostics";

    /// <summary>
    /// True: the runtime of this process has no diagnostics socket. Through that socket every process of this user can read the environment
    /// and load code into the runtime. The runtime reads the variable once, at its start.
    /// </summary>
    internal static bool DiagnosticsAreOff { get; } = Environment.GetEnvironmentVariable(DiagnosticsVariable) == "0";

    /// <summary>
    /// Makes this process non-dumpable on Linux; does nothing elsewhere. The process then writes no core dump, and only root can debug it
    /// or read its memory. Do not run the worker as root. A started program is dumpable again.
    /// </summary>
    /// <exception cref="InvalidOperationException">The system refused. Programs must not be started beside readable secrets.</exception>
    public static void Protect()
    {
        if (OperatingSystem.IsLinux() && Control(SetDumpable, 0, 0, 0, 0) != 0)
        {
            throw new InvalidOperationException(
                $"prctl(PR_SET_DUMPABLE, 0) failed: {Marshal.GetLastPInvokeErrorMessage()}. "
                    + "Without it the programs that jobs start can read the worker's secrets."
            );
        }
    }

    /// <summary>
    /// Replaces this process by the same program with <c>DOTNET_EnableDiagnostics=0</c>, on Linux. Process id, arguments, environment and
    /// open streams stay the same. Call it first in <c>Main</c>. A value that the user has set is kept.
    /// </summary>
    /// <remarks>
    /// Returns when there is nothing to do or the system refuses. After a refusal the pools that run programs are not served.
    /// </remarks>
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
            // The process continues with diagnostics, and Programs refuses to start.
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
