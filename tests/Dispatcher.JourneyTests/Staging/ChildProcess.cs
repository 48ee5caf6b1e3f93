using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A program started as a process. It can be killed, frozen and stopped in order.</summary>
internal sealed partial class ChildProcess : RunningProgram
{
    private const int SigTerm = 15;
    private const int SigStop = 19;
    private const int SigCont = 18;

    /// <summary>The folder in which whole logs are kept: <c>DISPATCHER_TEST_LOGS</c>. Null: they are not kept.</summary>
    private static readonly string? KeptLogs = Environment.GetEnvironmentVariable("DISPATCHER_TEST_LOGS");

    private readonly Process _process;
    private readonly LogText _log = new();
    private readonly LogText _output = new();

    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="file">The program.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="folder">Its working folder. Null: the temporary folder.</param>
    /// <param name="takesInput">Whether <see cref="Input"/> is its standard input; else it has the one of this process.</param>
    public ChildProcess(
        IReadOnlyDictionary<string, string> environment,
        string file,
        IReadOnlyList<string> arguments,
        string? folder = null,
        bool takesInput = false
    )
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = takesInput,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data, _log, _output);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data, _log);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    /// <summary>Starts a .NET program of this project's output.</summary>
    public static ChildProcess OfOutput(string program, IReadOnlyDictionary<string, string> environment, params string[] arguments) =>
        new(environment, "dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. arguments]);

    public override string Name => $"process {ProcessId} ({string.Join(' ', _process.StartInfo.ArgumentList.Take(2))})";

    /// <summary>Standard output and standard error.</summary>
    public override string Log => _log.ToString();

    /// <summary>Standard output alone.</summary>
    public string Output => _output.ToString();

    public int ProcessId => _process.Id;

    public StreamWriter Input => _process.StandardInput;

    /// <summary>The most memory that the process ever had resident (<c>VmHWM</c>).</summary>
    public int PeakMemoryMiB =>
        int.Parse(
            File.ReadLines($"/proc/{ProcessId}/status")
                .Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
            CultureInfo.InvariantCulture
        ) / 1024;

    public override bool HasEnded => _process.HasExited;

    /// <summary>Ends it as a crash would, with SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
    }

    public void Freeze() => Signal(SigStop);

    public void Unfreeze() => Signal(SigCont);

    public override async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        if (KeptLogs is not null)
        {
            await File.WriteAllTextAsync(Path.Combine(KeptLogs, $"{_process.Id}.log"), Log);
        }

        _process.Dispose();
        await _log.DisposeAsync();
        await _output.DisposeAsync();
    }

    /// <summary>
    /// Sends a signal to a process, or with a negative id to the processes of a group. Returns 0, or -1 if there is none.
    /// </summary>
    [LibraryImport("libc", EntryPoint = "kill")]
    internal static partial int Kill(int processId, int signal);

    public override void RequestStop()
    {
        if (!_process.HasExited)
        {
            Signal(SigTerm);
        }
    }

    public override async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync(CancellationToken.None);
        return _process.ExitCode;
    }

    private static void Keep(string? line, params LogText[] logs)
    {
        if (line is not null)
        {
            Array.ForEach(logs, log => log.WriteLine(line));
        }
    }

    private void Signal(int signal) => Assert.Equal(0, Kill(_process.Id, signal));
}
