using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Outbox;

/// <summary>Counts attempts that ended and approvals that expired.</summary>
internal sealed class MoveMetrics(DispatcherMetrics metrics) : IMoveSubscriber
{
    public void Committed(IReadOnlyList<Move> moves)
    {
        foreach (var move in moves.Where(move => move.Before.State == JobState.Running && move.Before.State != move.After.State))
        {
            metrics.AttemptEnded(move.Before.Pool!, ResultOf(move));
        }

        metrics.ApprovalsExpired(moves.Count(move => move.Approval?.To == ApprovalStates.Expired));
    }

    private static string ResultOf(Move move) =>
        move.After.State switch
        {
            JobState.Retrying or JobState.DeadLettered when move.IsFailedAttempt && move.After.FaultClass is { } faultClass => faultClass,
            JobState.Succeeded or JobState.Quarantined or JobState.Cancelled => WireNames.Of(move.After.State),
            _ => "returned",
        };
}
