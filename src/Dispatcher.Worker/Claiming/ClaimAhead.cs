using Dispatcher.Contracts;
using Dispatcher.Worker.Running;

namespace Dispatcher.Worker.Claiming;

/// <summary>
/// How many attempts may be claimed before a slot is free: as many as will start within 100 ms if runs end as in the last half second.
/// The number of ended runs counts, because it falls when runs no longer end. Their durations count too: many runs that ended together
/// are followed by as many that end together later.
/// </summary>
internal sealed class ClaimAhead(int concurrency, TimeProvider clock)
{
    /// <summary>The most attempts that are claimed and not started, at any rate.</summary>
    public const int Max = 256;

    private static readonly TimeSpan Horizon = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(500);

    /// <summary>The time limit counts from the claim, so the time before the start must be a small part of it.</summary>
    private static readonly TimeSpan ShortestRunLimit = 10 * Horizon;

    /// <summary>With this many ended runs the limit is <see cref="Max"/>.</summary>
    private static readonly int MostEnded = (int)(Max * (Window / Horizon));

    private readonly Lock _lock = new();
    private readonly Queue<(long At, TimeSpan Took)> _ended = new();
    private TimeSpan _took;

    /// <summary>0: no rate is known, or the runs are long.</summary>
    public int Limit
    {
        get
        {
            lock (_lock)
            {
                while (_ended.TryPeek(out var oldest) && clock.GetElapsedTime(oldest.At) > Window)
                {
                    RemoveOldest();
                }

                var byRate = _ended.Count * (Horizon / Window);
                var byDuration = _took > TimeSpan.Zero ? concurrency * _ended.Count * (Horizon / _took) : Max;
                return (int)Math.Min(Max, Math.Min(byRate, byDuration));
            }
        }
    }

    /// <summary>
    /// Whether a message may be claimed before a slot is free. If the worker dies, the sweep repeats the attempt, although it never began.
    /// </summary>
    public static bool Allows(WorkMessage message) => message.Idempotent && ClaimedRun.LimitOf(message) >= ShortestRunLimit;

    public void RunEnded(TimeSpan took)
    {
        lock (_lock)
        {
            _ended.Enqueue((clock.GetTimestamp(), took));
            _took += took;
            if (_ended.Count > MostEnded)
            {
                RemoveOldest();
            }
        }
    }

    private void RemoveOldest() => _took -= _ended.Dequeue().Took;
}
