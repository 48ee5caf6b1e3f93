using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;

namespace Dispatcher.Benchmarks.Staging;

/// <summary>
/// A started program. A child of the benchmarks ends when its standard input is closed, so that none outlives this process.
/// </summary>
internal sealed class ProgramProcess : IAsyncDisposable
{
    private const int KeptLines = 60;
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Queue<string> _log = [];
    private readonly Channel<string> _answers = Channel.CreateUnbounded<string>();
    private readonly SemaphoreSlim _asking = new(1);

    public ProgramProcess(string file, IEnumerable<string> arguments, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public bool HasEnded => _process.HasExited;

    /// <summary>The last lines of its output, for the message of a failure.</summary>
    public string Log
    {
        get
        {
            lock (_log)
            {
                return string.Join('\n', _log);
            }
        }
    }

    /// <summary>Starts a .NET program of this project's output.</summary>
    public static ProgramProcess OfOutput(
        string program,
        IEnumerable<string> arguments,
        params (string Name, string Value)[] environment
    ) => new("dotnet", [Path.Combine(AppContext.BaseDirectory, program), .. arguments], environment);

    /// <summary>Starts this program with the hidden verb <c>child</c>.</summary>
    public static ProgramProcess Child(IEnumerable<string> arguments) => OfOutput("Dispatcher.Benchmarks.dll", ["child", .. arguments]);

    /// <summary>An option without a value, if it is on.</summary>
    public static string[] Flag(string name, bool on) => on ? [name] : [];

    /// <summary>Runs a program to its end.</summary>
    public static async Task RunAsync(
        string file,
        IEnumerable<string> arguments,
        CancellationToken cancellationToken,
        params (string Name, string Value)[] environment
    )
    {
        await using var process = new ProgramProcess(file, arguments, environment);
        await process._process.WaitForExitAsync(cancellationToken);
        if (process._process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{file} ended with exit code {process._process.ExitCode}.\n{process.Log}");
        }
    }

    /// <summary>Asks a child for its counters. They are cumulative since its start.</summary>
    public async Task<ChildReport> ReportAsync(CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken);
        try
        {
            await _process.StandardInput.WriteLineAsync("report");
            await _process.StandardInput.FlushAsync(cancellationToken);
            var answer = await _answers.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(LongestAnswer, cancellationToken);
            return JsonSerializer.Deserialize<ChildReport>(answer)!;
        }
        catch (Exception failure) when (failure is ChannelClosedException or IOException or TimeoutException)
        {
            throw new InvalidOperationException($"The child process {Id} does not answer.\n{Log}", failure);
        }
        finally
        {
            _asking.Release();
        }
    }

    /// <summary>Throws with the end of the log if the process has ended.</summary>
    public void CheckRuns()
    {
        if (HasEnded)
        {
            throw new InvalidOperationException($"Process {Id} ended with exit code {_process.ExitCode}.\n{Log}");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await StopAsync();
        }

        _process.Dispose();
        _asking.Dispose();
    }

    private async Task StopAsync()
    {
        try
        {
            _process.StandardInput.Close();
            _ = NativeMethods.Kill(_process.Id, NativeMethods.SigTerm);
            await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(LongestStop, CancellationToken.None);
        }
        catch (Exception failure) when (failure is TimeoutException or IOException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            _answers.Writer.TryComplete();
        }
        else if (line.StartsWith(ChildReport.Start, StringComparison.Ordinal))
        {
            _answers.Writer.TryWrite(line);
        }
        else
        {
            Keep(line);
        }
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_log)
        {
            _log.Enqueue(line);
            if (_log.Count > KeptLines)
            {
                _log.Dequeue();
            }
        }
    }
}

/// <summary>What a child counted since its start.</summary>
/// <param name="Done">Jobs that are final.</param>
/// <param name="Allocated">Bytes that its runtime allocated.</param>
internal sealed record ChildReport(long Done, long Allocated)
{
    /// <summary>A line of a child's standard output that begins so is a report.</summary>
    public const string Start = "{\"Done\":";
}
