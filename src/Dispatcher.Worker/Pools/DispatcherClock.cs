using System.Globalization;
using Dispatcher.Contracts;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Pools;

/// <summary>
/// The dispatcher's time, as well as this worker knows it. The clock of a worker's machine may be off by any amount: each
/// registration measures the difference, and the times that the worker reports are corrected by it.
/// </summary>
internal sealed partial class DispatcherClock(string pool, TimeProvider clock, WorkerMetrics metrics, ILogger<DispatcherClock> log)
{
    /// <summary>A difference that a person should know of, and a change of it as well.</summary>
    internal static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>The result is wrong by half the round trip at most. A slower answer measures too little.</summary>
    private static readonly TimeSpan SlowestAnswer = TimeSpan.FromSeconds(2);

    private readonly Lock _lock = new();
    private TimeSpan? _ahead;
    private TimeSpan _logged;

    /// <summary>How far this machine's clock is ahead of the dispatcher's; negative: behind. Null: not measured yet.</summary>
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

    /// <summary>Asks the dispatcher, and measures by its answer.</summary>
    public async Task<HeartbeatAnswer> MeasureAsync(Func<Task<HeartbeatAnswer>> ask)
    {
        var (sentAt, timestamp) = (clock.GetUtcNow(), clock.GetTimestamp());
        var answer = await ask();
        if (answer.Now is { } now && clock.GetElapsedTime(timestamp) is var roundTrip && roundTrip <= SlowestAnswer)
        {
            Note(sentAt + (roundTrip / 2) - now);
        }

        return answer;
    }

    private void Note(TimeSpan ahead)
    {
        metrics.ClockAhead(pool, ahead);
        lock (_lock)
        {
            _ahead = ahead;
            if (ahead.Duration() > Limit && (ahead - _logged).Duration() > Limit)
            {
                _logged = ahead;
                Log.Off(log, Words(ahead));
            }
            else if (ahead.Duration() <= Limit && _logged != TimeSpan.Zero)
            {
                _logged = TimeSpan.Zero;
                Log.Right(log);
            }
        }
    }

    private static string Words(TimeSpan ahead) =>
        ahead.Duration().TotalSeconds.ToString("F1", CultureInfo.InvariantCulture) + (ahead > TimeSpan.Zero ? " s ahead of" : " s behind");

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.ClockOff,
            LogLevel.Warning,
            "The clock of this machine is {Offset} the dispatcher's; the worker corrects the times that it reports. "
                + "Set the clock of the machine"
        )]
        public static partial void Off(ILogger logger, string offset);

        [LoggerMessage(WorkerEventIds.ClockRight, LogLevel.Information, "The clock of this machine agrees with the dispatcher's again")]
        public static partial void Right(ILogger logger);
    }
}
