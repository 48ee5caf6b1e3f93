using System.Text.Json;
using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Events;
using Dispatcher.Health;
using Dispatcher.Relaying;
using Dispatcher.Storing;

namespace Dispatcher.Jobs;

/// <summary>Commits moves of any hop, many in one transaction, each with the event of the state it leads to; after the commit sends their messages and answers who waits.</summary>
internal sealed class MoveWriter(IStore store, Relay relay, JobEvents events, DispatcherMetrics metrics, ILogger<MoveWriter> logger) : GroupCommit<Move, MoveResult>(logger)
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

    /// <summary>Sends the messages of committed moves, and the final state to who waits for it.</summary>
    public void Tell(IReadOnlyList<Move> moved)
    {
        relay.Offer(moved.SelectMany(move => move.Outbox));
        metrics.ApprovalsExpired(moved.Count(move => move.Approval?.To == ApprovalStates.Expired));
        foreach (var job in moved.Select(move => move.After).Where(job => job.ReplyTo is not null && job.State.IsFinal()))
        {
            var final = events.Event(job, WireNames.Of(job.State));
            relay.Answer(new Reply(job.ReplyTo!, job.CorrelationId, MessageTypes.Event, JsonSerializer.SerializeToUtf8Bytes(final, WireJson.Default.JobEvent)));
        }
    }

    /// <summary>The move with the event of the state it leads to, if it leads to another.</summary>
    public Move WithEvent(Move move) => move.Before.State == move.After.State ? move : move with { Outbox = [.. move.Outbox, .. events.Of(move.After)] };

    private static MoveResult Result(Move move, Committed committed)
    {
        if (committed.Jobs.Contains(move.Before.JobId))
        {
            return MoveResult.Moved;
        }

        return move.UnderPolicy is null || move.UnderPolicy == committed.ActiveHash ? MoveResult.Stale : MoveResult.PolicyChanged;
    }
}
