namespace Dispatcher.Worker.Claiming;

/// <summary>
/// How many unanswered deliveries the broker hands over: twice the slots, so that a free slot finds the next one, and twice as many as may
/// be claimed ahead. Each change returns the waiting deliveries, and the broker allows a message few deliveries. So it changes only when
/// a very different number has fit for some time.
/// </summary>
internal sealed class Prefetch(int concurrency, TimeProvider clock)
{
    /// <summary>How long a delivery waits behind long runs.</summary>
    public static readonly TimeSpan FullAfter = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan GrowsAfter = TimeSpan.FromMilliseconds(200);

    /// <summary>Fewer more would save no time: they are claimed at once when the broker delivers them.</summary>
    private const int SmallestGrowth = 16;

    private readonly int _normal = 2 * concurrency;

    /// <summary>Since when another number fits. Null: the current one fits.</summary>
    private long? _since;

    public int Current { get; private set; } = 2 * concurrency;

    /// <summary>
    /// The pool was full: no more than can start. While all runs are long, further deliveries would be returned again and again.
    /// </summary>
    public void Limit(int freeSlots) => (Current, _since) = (freeSlots, clock.GetTimestamp());

    /// <summary>Adapts to the number of attempts that may be claimed ahead. True: it has changed.</summary>
    public bool Follow(int ahead)
    {
        var fitting = _normal + (2 * ahead);
        var isLimited = Current < _normal;
        var grows = fitting >= 2 * Current && fitting >= Current + SmallestGrowth;
        var shrinks = Current >= 2 * fitting;
        if (!isLimited && !grows && !shrinks)
        {
            _since = null;
            return false;
        }

        _since ??= clock.GetTimestamp();
        if (clock.GetElapsedTime(_since.Value) <= (isLimited || shrinks ? FullAfter : GrowsAfter))
        {
            return false;
        }

        (Current, _since) = (fitting, null);
        return true;
    }
}
