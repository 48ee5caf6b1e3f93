using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.Versioning;
using System.Text;

namespace Dispatcher.ReferenceWorker.Processes;

/// <summary>Runs one program inside a <see cref="Supervisor"/> and ends every process that it started.</summary>
internal static class ChildProcess
{
    /// <summary>The time limit to end the remaining processes of a run that has ended by itself. Only its job waits.</summary>
    public static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    /// <summary>The same limit for a run that was stopped. Its handler is abandoned two seconds after the stop.</summary>
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(1);

    /// <summary>How long the outputs may take to close after all processes that held them have ended.</summary>
    private static readonly TimeSpan OutputGrace = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// Puts the program into a new session and process group, so that a script's <c>kill 0</c> does not reach the supervisor. Null: the
    /// system has no setsid.
    /// </summary>
    private static readonly string? SetSid = Find("setsid");

    private const int RoundsBetweenScans = 1_000;

    private static volatile int _program;

    /// <summary>Finds a program in the worker's PATH, or takes a full path. Null: not found.</summary>
    public static string? Find(string program)
    {
        if (program.Contains('/', StringComparison.Ordinal) || program.Contains(Path.DirectorySeparatorChar, StringComparison.Ordinal))
        {
            return Path.IsPathFullyQualified(program) && IsExecutable(program) ? program : null;
        }

        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").Split(
            Path.PathSeparator,
            StringSplitOptions.RemoveEmptyEntries
        );
        return folders.Where(Path.IsPathFullyQualified).Select(folder => Path.Combine(folder, program)).FirstOrDefault(IsExecutable);
    }

    /// <summary>Reaps orphans of the program while it runs. Called for each SIGCHLD.</summary>
    [SupportedOSPlatform("linux")]
    public static void ReapOrphans()
    {
        // Until the program's id is known, the program itself could be reaped and its exit code lost.
        if (_program is not 0 and var program)
        {
            Kernel.ReapAdopted(program);
        }
    }

    /// <summary>
    /// Returns when the program has ended, or <paramref name="stop"/> has completed, and no process of the run is left.
    /// </summary>
    [SupportedOSPlatform("linux")]
    public static async Task<ProcessEnd> RunAsync(ProcessSpec spec, Task stop)
    {
        var stdout = new CappedOutput(spec.MaxOutputBytes);
        var stderr = new CappedOutput(spec.MaxOutputBytes);
        Process process;
        try
        {
            process = Start(spec);
        }
        catch (Win32Exception exception)
        {
            return new ProcessEnd { CannotStart = exception.Message };
        }

        using var running = process;
        _program = process.Id;
        var outputs = Task.WhenAll(
            stdout.ReadAsync(process.StandardOutput.BaseStream),
            stderr.ReadAsync(process.StandardError.BaseStream),
            WriteAsync(process.StandardInput, spec.Stdin)
        );
        await Task.WhenAny(process.WaitForExitAsync(), stop);
        var ended = await EndAsync(process, stop.IsCompleted ? StopLimit : EndLimit);
        await Task.WhenAny(outputs, Task.Delay(OutputGrace));
        return new ProcessEnd
        {
            ExitCode = process.HasExited ? process.ExitCode : null,
            Stdout = stdout.Captured(),
            Stderr = stderr.Captured(),
            Remains = !ended,
        };
    }

    // The program first: only Process may take its exit status, while ReapAll takes that of any child.
    [SupportedOSPlatform("linux")]
    private static async Task<bool> EndAsync(Process process, TimeSpan limit)
    {
        var watch = Stopwatch.StartNew();
        if (!process.HasExited)
        {
            ProcessTable.FreezeAndKill(Descendants, limit);
            await Task.WhenAny(process.WaitForExitAsync(), Task.Delay(limit));
            if (!process.HasExited)
            {
                return false;
            }
        }

        _program = 0;
        return KillRest(limit - watch.Elapsed);
    }

    /// <summary>Kills all descendants of this process. False: some are left after the limit.</summary>
    [SupportedOSPlatform("linux")]
    public static bool KillRest(TimeSpan limit)
    {
        var watch = Stopwatch.StartNew();
        for (var round = 0; Kernel.ReapAll(); round++)
        {
            if (watch.Elapsed > limit)
            {
                return false;
            }

            if (round % RoundsBetweenScans == 0)
            {
                ProcessTable.FreezeAndKill(Descendants, limit - watch.Elapsed);
            }

            // Without a scan of the table, this overtakes a process that only starts its successor and ends.
            foreach (var child in ProcessTable.Children())
            {
                ProcessTable.KillTree(child);
            }
        }

        return true;
    }

    [SupportedOSPlatform("linux")]
    private static List<int> Descendants() => ProcessTable.Below(Environment.ProcessId);

    private static Process Start(ProcessSpec spec)
    {
        var start = new ProcessStartInfo(SetSid ?? spec.Program)
        {
            WorkingDirectory = spec.WorkingFolder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
        };
        foreach (var argument in SetSid is null ? spec.Arguments : [spec.Program, .. spec.Arguments])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in spec.Environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    private static async Task WriteAsync(StreamWriter input, string? text)
    {
        try
        {
            await input.WriteAsync(text);
            input.Close();
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The program ended without reading all of its input.
        }
    }

    private static bool IsExecutable(string path) =>
        File.Exists(path)
        && (
            OperatingSystem.IsWindows()
            || (File.GetUnixFileMode(path) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0
        );
}
