using System.Globalization;
using Dispatcher.Contracts;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Pools;

/// <summary>
/// The dispatcher's time, as this worker estimates it. The clock of the worker's machine may be off by any amount. Each registration
/// measures the offset, and the worker corrects the times that it reports by it.
/// </summary>
internal sealed partial class DispatcherClock(string pool, TimeProvider clock, WorkerMetrics metrics, ILogger<DispatcherClock> log)
{
    /// <summary>An offset above this limit is logged, and so is a change of the offset by more than it.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>Slower answers are not measured: the error of a measurement is up to half the round trip.</summary>
    private static readonly TimeSpan SlowestAnswer = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private TimeSpan? _ahead;
    private TimeSpan _logged;

    /// <summary>How far this machine's clock is ahead of the dispatcher's clock. Negative: behind. Null: not measured yet.</summary>
    public TimeSpan? Ahead
    {
        get
        {
            lock (_lock)
            {
                return _ahead;
            }
        }
    }

    public DateTimeOffset GetUtcNow() => clock.GetUtcNow() - (Ahead ?? TimeSpan.Zero);

    /// <summary>Sends a heartbeat and measures the offset from its answer.</summary>
    public async Task<HeartbeatAnswer> MeasureAsync(Func<Task<HeartbeatAnswer>> ask)
    {
        var (sentAt, timestamp) = (clock.GetUtcNow(), clock.GetTimestamp());
        var answer = await ask();
        if (answer.Now is { } now && clock.GetElapsedTime(timestamp) is var roundTrip && roundTrip <= SlowestAnswer)
        {
            Record(sentAt + (roundTrip / 2) - now);
        }

        return answer;
    }

    private void Record(TimeSpan ahead)
    {
        metrics.ClockAhead(pool, ahead);
        lock (_lock)
        {
            _ahead = ahead;
            if (ahead.Duration() > Limit && (ahead - _logged).Duration() > Limit)
            {
                _logged = ahead;
                Log.ClockOff(log, Describe(ahead));
            }
            else if (ahead.Duration() <= Limit && _logged != TimeSpan.Zero)
            {
                _logged = TimeSpan.Zero;
                Log.ClockRight(log);
            }
        }
    }

    private static string Describe(TimeSpan ahead) =>
        ahead.Duration().TotalSeconds.ToString("F1", CultureInfo.InvariantCulture) + (ahead > TimeSpan.Zero ? " s ahead of" : " s behind");

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.ClockOff,
            LogLevel.Warning,
            "The clock of this machine is {Offset} the clock of the dispatcher. The worker corrects the times that it reports; "
                + "set the clock of the machine"
        )]
        public static partial void ClockOff(ILogger logger, string offset);

        [LoggerMessage(WorkerEventIds.ClockRight, LogLevel.Information, "The clock of this machine agrees with the dispatcher again")]
        public static partial void ClockRight(ILogger logger);
    }
}
