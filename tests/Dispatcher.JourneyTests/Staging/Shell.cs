using System.Text.RegularExpressions;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>One terminal of a user: a bash that takes commands, with the output of its programs. It leads a process group.</summary>
internal sealed partial class Shell : IAsyncDisposable
{
    private const int SigInt = 2;
    private const int SigKill = 9;

    // The commands come on a stream of their own: a program that reads its input must not read the next command.
    private const string Loop = "exec 9<&0 < /dev/null 2>&1; while IFS= read -r -d '' -u 9 command; do eval \"$command\"; done";

    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    private readonly ChildProcess _bash;
    private int _commands;

    public Shell(string folder, IReadOnlyDictionary<string, string> environment)
    {
        // A job in the background of a script ignores Ctrl-C, and so does all that it starts; a terminal's bash does not.
        string[] bash = ["env", "--default-signal=INT", "bash", "--noprofile", "--norc", "-c", Loop];
        _bash = new ChildProcess(environment, "setsid", bash, folder, takesInput: true);
    }

    public string Log => _bash.Log;

    /// <summary>Types a command and does not wait for it.</summary>
    public void Type(string command)
    {
        _bash.Input.Write(command + "\0");
        _bash.Input.Flush();
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
        Assert.Equal(0, ChildProcess.Kill(-_bash.ProcessId, SigInt));
        _bash.Input.Close();
        await _bash.EndAsync(Longest);
    }

    public async ValueTask DisposeAsync()
    {
        // All that it started is in its group. The call fails when the group is empty.
        _ = ChildProcess.Kill(-_bash.ProcessId, SigKill);
        await _bash.ExitAsync();
        await _bash.DisposeAsync();
    }

    private Task SeesAsync(Func<bool> condition, string what) =>
        Eventually.IsAsync(
            () =>
                Task.FromResult(
                    _bash.HasEnded && !condition()
                        ? throw new InvalidOperationException($"The terminal has ended before: {what}\n{Log}")
                        : condition()
                ),
            () => $"{what}\n{Log}",
            Longest
        );
}
