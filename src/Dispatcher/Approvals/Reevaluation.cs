using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;

namespace Dispatcher.Approvals;

/// <summary>
/// Before a vote is taken the policy is asked again: nobody shall decide on rules that are no longer in force. When they are others, or what is shown is not what was held,
/// the job goes back to be decided again, and the vote is refused.
/// </summary>
internal sealed class Reevaluation(PolicyGate gate, MoveWriter moves, JobDispatch dispatch, TimeProvider time)
{
    /// <summary>Null: the rules that hold the job are those in force.</summary>
    public async Task<VoteRefusal?> WhyAsync(HeldJob held, CancellationToken cancellationToken)
    {
        var (approval, job) = held;
        var decision = (await gate.EvaluateAsync(job, Hop.Dispatch, cancellationToken)).Decision;
        if (decision.Reason == ReasonCodes.NoBundle)
        {
            return new VoteRefusal("no_bundle", "No bundle is in force: nothing can be approved until there is one.");
        }

        var why = decision.Verdict switch
        {
            Verdict.RequireApproval => ApprovalUse.WhyItFell(job, decision, approval),
            Verdict.Deny => $"the job is denied now ({decision.Reason})",
            Verdict.Allow or Verdict.AllowWithConstraints => $"the rules no longer ask for approval {approval.Name}",
        };
        if (why is null)
        {
            return null;
        }

        var again = job with { State = JobState.Accepted, DueAt = job.NotAfter, Reason = why };
        var move = new Move(job, again)
        {
            Entry = VoteEntries.Invalidated(again, approval, why),
            Outbox = [DispatchSignal.Message([again.Pool!], time)],
        };
        if (await moves.AddAsync(move, cancellationToken) != MoveResult.Moved)
        {
            return VoteRefusal.Raced(approval);
        }

        // At once, not with the next turn of its pool, which comes when a worker has room: the approvers look now.
        await dispatch.HoldAsync(await gate.EvaluateAsync(move.After, Hop.Dispatch, cancellationToken), cancellationToken);
        var changed = new ChangedHash("policy_hash", approval.PolicyHash, decision.PolicyHash);
        return new VoteRefusal("changed", $"{why}; the job is decided again.") { Changed = [changed] };
    }
}
