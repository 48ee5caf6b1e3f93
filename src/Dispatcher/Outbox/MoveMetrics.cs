using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Outbox;

/// <summary>Counts moves, and measures how long each hop and each job took. All times are those of the database's clock.</summary>
internal sealed class MoveMetrics(DispatcherMetrics metrics, JobMetrics jobs, StoreClock clock) : IMoveSubscriber
{
    public void Committed(IReadOnlyList<Move> moves)
    {
        if (moves.Count == 0)
        {
            return;
        }

        var now = clock.Now;
        jobs.Committed("moves", moves.Count);
        foreach (var move in moves)
        {
            if (move.Before.State != move.After.State)
            {
                Count(move, now);
            }

            if (move.Approval?.To == ApprovalStates.Expired)
            {
                metrics.ApprovalsExpired(1);
            }
        }
    }

    private void Count(Move move, long now)
    {
        var (before, after) = (move.Before, move.After);
        jobs.Entered(after.State);
        if (HopOf(before, after) is var (hop, since))
        {
            jobs.HopTook(hop, TimeSpan.FromMicroseconds(now - since));
        }

        if (before.State == JobState.Running)
        {
            metrics.AttemptEnded(before.Pool!, ResultOf(move));
        }

        if (after.State.IsFinal())
        {
            jobs.Ended(after.State, TimeSpan.FromMicroseconds(now - before.CreatedAt));
        }
    }

    /// <summary>The hop that the move ends, and when the hop began. Null: the move ends none, such as a return to the backlog.</summary>
    private static (string Hop, long Since)? HopOf(Job before, Job after) =>
        (before.State, after.State) switch
        {
            (JobState.Held, JobState.Approved) => ("approval", before.UpdatedAt),
            // Ready since its submission or retry, or later: since its approval or its return.
            (_, JobState.Dispatched) => ("backlog", Math.Max(before.ReadyAt, before.UpdatedAt)),
            (JobState.Dispatched, JobState.Running) => ("claim", before.UpdatedAt),
            // The limit of the run counts from the claim.
            (JobState.Running, _) when before is { RunUntil: { } until, RunLimitUs: { } limit } => ("run", until - limit),
            _ => null,
        };

    private static string ResultOf(Move move) =>
        move.After.State switch
        {
            JobState.Retrying or JobState.DeadLettered when move.IsFailedAttempt && move.After.FaultClass is { } faultClass => faultClass,
            JobState.Succeeded or JobState.Quarantined or JobState.Cancelled => WireNames.Of(move.After.State),
            _ => "returned",
        };
}
