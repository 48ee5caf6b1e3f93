using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Events;
using Dispatcher.Health;
using Dispatcher.Relaying;
using Dispatcher.Storing;

namespace Dispatcher.Jobs;

/// <summary>Commits moves of any hop, many in one transaction, each with the event of the state it leads to; after the commit sends their messages and answers who waits.</summary>
internal sealed class MoveWriter(
    IStore store,
    StoreHealth health,
    Relay relay,
    JobEvents events,
    PoolWindow window,
    PoolWakes wakes,
    DispatcherMetrics metrics,
    TimeProvider time
) : GroupCommit<Move, MoveResult>(health, time)
{
    protected override Guid KeyOf(Move item) => item.Before.JobId;

    protected override async Task<IReadOnlyList<MoveResult>> CommitAsync(IReadOnlyList<Move> batch, CancellationToken cancellationToken)
    {
        var told = batch.Select(WithEvent).ToList();
        var committed = await store.MoveAsync(told, cancellationToken);
        var moved = told.Where(move => committed.Jobs.Contains(move.Before.JobId)).ToList();
        Tell(moved);
        return told.ConvertAll(move => Result(move, committed));
    }

    /// <summary>Sends the messages of committed moves, in the order of their lines, and the final state to who waits for it; and tells where a place has become free.</summary>
    public void Tell(IReadOnlyList<Move> moved)
    {
        relay.Offer(moved.OrderBy(move => move.After.ReadyAt).SelectMany(move => move.Outbox));
        foreach (
            var move in moved.Where(move =>
                move.Before.State is JobState.Dispatched or JobState.Running && move.Before.State != move.After.State
            )
        )
        {
            if (move.Before.State == JobState.Running)
            {
                window.Ended(move);
                metrics.AttemptEnded(move.Before.Pool!, HowOf(move));
            }

            wakes.Wake(move.Before.Pool);
        }

        metrics.ApprovalsExpired(moved.Count(move => move.Approval?.To == ApprovalStates.Expired));
        foreach (var job in moved.Select(move => move.After).Where(job => job.ReplyTo is not null && job.State.IsFinal()))
        {
            relay.Answer(events.Final(job, job.ReplyTo!, job.CorrelationId));
        }
    }

    /// <summary>The move with the event of the state it leads to, if it leads to another. One that goes back to retry because nothing was begun has not failed.</summary>
    public Move WithEvent(Move move) =>
        move.Before.State == move.After.State || (move.After.State == JobState.Retrying && !move.IsSpent)
            ? move
            : move with
            {
                Outbox = [.. move.Outbox, .. events.Of(move.After)],
            };

    private static string HowOf(Move move) =>
        move.After.State switch
        {
            JobState.Retrying or JobState.DeadLettered when move.IsSpent && move.After.FaultClass is { } faultClass => faultClass,
            JobState.Succeeded or JobState.Quarantined or JobState.Cancelled => WireNames.Of(move.After.State),
            _ => "returned",
        };

    private static MoveResult Result(Move move, Committed committed)
    {
        if (committed.Jobs.Contains(move.Before.JobId))
        {
            return MoveResult.Moved;
        }

        return move.UnderPolicy is not null && move.UnderPolicy != committed.ActiveHash ? MoveResult.PolicyChanged
            : committed.Contradicted.Contains(move.Before.JobId) ? MoveResult.Contradicted
            : MoveResult.Stale;
    }
}
