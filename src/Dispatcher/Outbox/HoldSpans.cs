using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Outbox;

/// <summary>Writes the span of each hold when it ends: by the last vote, a cancel or the sweep.</summary>
internal sealed class HoldSpans(StoreClock clock) : IMoveSubscriber
{
    public void Committed(IReadOnlyList<Move> moves)
    {
        if (!JobSpans.Source.HasListeners())
        {
            return;
        }

        foreach (var move in moves.Where(move => move.Before.State == JobState.Held && move.After.State != JobState.Held))
        {
            JobSpans.Hold(move, clock.Now);
        }
    }
}
