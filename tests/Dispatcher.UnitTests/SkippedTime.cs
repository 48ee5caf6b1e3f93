using System.Collections.Concurrent;

namespace Dispatcher.UnitTests;

/// <summary>A clock whose pauses of up to 10 s end at once; each is recorded. Longer timers are limits and never fire.</summary>
internal sealed class SkippedTime : TimeProvider
{
    private static readonly TimeSpan MaxPause = TimeSpan.FromSeconds(10);

    public ConcurrentQueue<TimeSpan> Pauses { get; } = new();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var isPause = dueTime >= TimeSpan.Zero && dueTime <= MaxPause;
        if (isPause)
        {
            Pauses.Enqueue(dueTime);
        }

        return System.CreateTimer(callback, state, isPause ? TimeSpan.Zero : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
