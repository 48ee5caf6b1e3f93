using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A program started as a real process; one of ours comes from this project's output. Can be killed, frozen and stopped in order.</summary>
internal partial class Child : IAsyncDisposable
{
    private const int SigTerm = 15;
    private const int SigStop = 19;
    private const int SigCont = 18;

    private readonly Process _process;
    private readonly StringBuilder _log = new();

    /// <summary>Where whole logs are kept, for who looks for a cause: <c>DISPATCHER_TEST_LOGS</c>. Null: nowhere.</summary>
    private static readonly string? KeptLogs = Environment.GetEnvironmentVariable("DISPATCHER_TEST_LOGS");

    public Child(string program, IReadOnlyDictionary<string, string> environment, params string[] arguments)
        : this(environment, "dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. arguments]) { }

    /// <summary>Any program.</summary>
    public Child(IReadOnlyDictionary<string, string> environment, string file, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public string Log
    {
        get
        {
            lock (_log)
            {
                return _log.ToString();
            }
        }
    }

    public int ProcessId => _process.Id;

    /// <summary>The most memory that the process ever had resident (<c>VmHWM</c>).</summary>
    public int PeakMemoryMiB =>
        int.Parse(
            File.ReadLines($"/proc/{ProcessId}/status")
                .Single(line => line.StartsWith("VmHWM:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
            CultureInfo.InvariantCulture
        ) / 1024;

    public bool HasEnded => _process.HasExited;

    /// <summary>As a crash would: SIGKILL.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
    }

    public void Freeze() => Signal(SigStop);

    public void Unfreeze() => Signal(SigCont);

    /// <summary>In order: SIGTERM. Answers the exit code.</summary>
    public async Task<int> StopAsync()
    {
        if (!_process.HasExited)
        {
            Signal(SigTerm);
        }

        return await EndAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>Waits until it ends by itself; answers the exit code.</summary>
    public async Task<int> EndAsync(TimeSpan within)
    {
        using var limit = new CancellationTokenSource(within);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            Assert.Fail($"The process did not end within {within}.\n{Log}");
        }

        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
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
        GC.SuppressFinalize(this);
    }

    private void Keep(string? line)
    {
        lock (_log)
        {
            _log.AppendLine(line);
        }
    }

    private void Signal(int signal) => Assert.Equal(0, Kill(_process.Id, signal));

    [LibraryImport("libc", EntryPoint = "kill")]
    internal static partial int Kill(int processId, int signal);
}
