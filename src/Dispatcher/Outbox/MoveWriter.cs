using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Outbox;

/// <summary>
/// Commits moves of every hop, many in one transaction, each with the event of its new state. After the commit it sends their messages,
/// calls the subscribers and answers each caller.
/// </summary>
internal sealed class MoveWriter(
    IStore store,
    StoreHealth health,
    Relay relay,
    JobEvents events,
    IEnumerable<IMoveSubscriber> subscribers,
    TimeProvider time
) : GroupCommit<Move, MoveResult>(health, time)
{
    private readonly IMoveSubscriber[] _subscribers = [.. subscribers];

    protected override Guid KeyOf(Move item) => item.Before.JobId;

    protected override async Task<IReadOnlyList<MoveResult>> CommitAsync(IReadOnlyList<Move> batch, CancellationToken cancellationToken)
    {
        using var span = JobSpans.Commit("moves", batch.Select(move => move.Before));
        var moves = batch.Select(WithEvent).ToList();
        var committed = await store.MoveAsync(moves, cancellationToken);
        Publish([.. moves.Where(move => committed.Jobs.Contains(move.Before.JobId))]);
        return moves.ConvertAll(move => Result(move, committed));
    }

    /// <summary>Sends the messages of committed moves in backlog order, then calls the subscribers.</summary>
    public void Publish(IReadOnlyList<Move> committed)
    {
        relay.Offer(committed.OrderBy(move => move.After.ReadyAt).SelectMany(move => move.Outbox));
        foreach (var subscriber in _subscribers)
        {
            subscriber.Committed(committed);
        }
    }

    /// <summary>
    /// The move with the event of its new state, if the state changes. A return to <c>retrying</c> without a failed attempt makes no event.
    /// </summary>
    public Move WithEvent(Move move) =>
        move.Before.State == move.After.State || (move.After.State == JobState.Retrying && !move.IsFailedAttempt)
            ? move
            : move with
            {
                Outbox = [.. move.Outbox, .. events.Of(move.After)],
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
