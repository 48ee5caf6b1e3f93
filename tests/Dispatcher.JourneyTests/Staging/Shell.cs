using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>One terminal of a user: a bash that is typed into, with what its programs print. It is the leader of a process group of its own.</summary>
internal sealed partial class Shell : IAsyncDisposable
{
    private const int SigInt = 2;
    private const int SigKill = 9;

    // The commands come on a stream of their own: a program that reads its input must not read the next command.
    private const string Loop = "exec 9<&0 < /dev/null 2>&1; while IFS= read -r -d '' -u 9 command; do eval \"$command\"; done";

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _log = new();
    private int _commands;

    public Shell(string folder, IReadOnlyDictionary<string, string> environment)
    {
        // A job in the background of a script ignores Ctrl-C, and so does all that it starts; a terminal's bash does not.
        var start = new ProcessStartInfo("setsid", ["env", "--default-signal=INT", "bash", "--noprofile", "--norc", "-c", Loop])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder,
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

    /// <summary>Types a command and does not wait for it.</summary>
    public void Type(string command)
    {
        _process.StandardInput.Write(command + "\0");
        _process.StandardInput.Flush();
    }

    /// <summary>Runs a command to its end. Its exit code must be one of those expected.</summary>
    public async Task<string> RunAsync(string command, params int[] expected)
    {
        var (before, mark) = (Log.Length, $"-- end of command {++_commands}, exit code");
        Type($"{command}\nprintf '\\n%s\\n' \"{mark} $?\"");
        var end = new Regex($"^{mark} ([0-9]+)$", RegexOptions.Multiline);
        await SeesAsync(() => end.IsMatch(Log, before), command);
        var match = end.Match(Log, before);
        var output = Log[before..match.Index];
        Assert.True(
            (expected.Length == 0 ? [0] : expected).Contains(
                int.Parse(match.Groups[1].Value, System.Globalization.CultureInfo.InvariantCulture)
            ),
            $"$ {command}\n{output}{match.Value}"
        );
        return output;
    }

    /// <summary>Waits until the terminal shows a text.</summary>
    public Task SeesAsync(string text) => SeesAsync(() => Log.Contains(text, StringComparison.Ordinal), text);

    /// <summary>Ctrl-C, and the terminal is closed when what ran has ended.</summary>
    public async Task CtrlCAsync()
    {
        Assert.Equal(0, Child.Kill(-_process.Id, SigInt));
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Longest);
        await _process.WaitForExitAsync(limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        // Whatever it started is in its group. Nothing is there any more: the call fails, and that is fine.
        _ = Child.Kill(-_process.Id, SigKill);
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    private Task SeesAsync(Func<bool> condition, string what) =>
        Eventually.IsAsync(
            () =>
                Task.FromResult(
                    _process.HasExited && !condition()
                        ? throw new InvalidOperationException($"The terminal has ended before: {what}\n{Log}")
                        : condition()
                ),
            () => $"{what}\n{Log}",
            Longest
        );

    private void Keep(string? line)
    {
        lock (_log)
        {
            _log.Append(line).Append('\n');
        }
    }
}
