using System.Text;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.UnitTests.CommandLine;

/// <summary>Exit code and output of a call.</summary>
internal sealed record CallOutcome(int Code, string Output, string Error);

/// <summary>Runs the real command line in this process, with its own streams and environment.</summary>
internal static class CommandLineCall
{
    public static Task<CallOutcome> RunAsync(params string[] args) => RunAsync(args, [], "");

    public static async Task<CallOutcome> RunAsync(string[] args, Dictionary<string, string> variables, string input, int? width = null)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var terminal = new Terminal(
            () => new MemoryStream(Encoding.UTF8.GetBytes(input)),
            output,
            error,
            variables.GetValueOrDefault,
            new PassingTime(),
            width
        );

        var code = await RootCommandLine.InvokeAsync(args, terminal);

        return new CallOutcome(code, output.ToString(), error.ToString());
    }

    /// <summary>A clock that goes ahead by each wait, which ends at once.</summary>
    private sealed class PassingTime : TimeProvider
    {
        private long _waited;

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + TimeSpan.FromTicks(Interlocked.Read(ref _waited));

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Add(ref _waited, Math.Max(0, dueTime.Ticks));
            return System.CreateTimer(callback, state, dueTime > TimeSpan.Zero ? TimeSpan.Zero : dueTime, period);
        }
    }
}
