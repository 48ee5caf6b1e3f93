using System.Text;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>A program that a journey runs: as a process, or hosted in the process of the tests.</summary>
internal abstract class RunningProgram : IAsyncDisposable
{
    private static readonly TimeSpan LongestStop = TimeSpan.FromSeconds(30);

    /// <summary>Names it in the message of a failure.</summary>
    public abstract string Name { get; }

    public abstract string Log { get; }

    public abstract bool HasEnded { get; }

    /// <summary>Stops it in order. Returns the exit code.</summary>
    public Task<int> StopAsync()
    {
        RequestStop();
        return EndAsync(LongestStop);
    }

    /// <summary>Waits until it ends. Returns the exit code.</summary>
    public async Task<int> EndAsync(TimeSpan within)
    {
        try
        {
            return await ExitAsync().WaitAsync(within, CancellationToken.None);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"{Name} did not end within {within}.\n{Log}");
        }
    }

    public abstract ValueTask DisposeAsync();

    /// <summary>As a service manager asks. Does nothing if it has ended.</summary>
    public abstract void RequestStop();

    /// <summary>The exit code, when it has ended.</summary>
    public abstract Task<int> ExitAsync();
}

/// <summary>The log of a program; written and read by several threads.</summary>
internal sealed class LogText : TextWriter
{
    private readonly StringBuilder _text = new();

    public override Encoding Encoding => Encoding.UTF8;

    public override void Write(char value) => Write(value.ToString());

    public override void Write(string? value)
    {
        lock (_text)
        {
            _text.Append(value);
        }
    }

    public override void Write(char[] buffer, int index, int count) => Write(new string(buffer, index, count));

    public override void WriteLine(string? value) => Write(value + '\n');

    public override string ToString()
    {
        lock (_text)
        {
            return _text.ToString();
        }
    }
}
