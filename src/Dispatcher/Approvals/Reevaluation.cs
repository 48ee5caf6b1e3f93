using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;

namespace Dispatcher.Approvals;

/// <summary>
/// Evaluates the policy again before a vote is taken, so that no person decides on rules that are no longer in force. If the rules or the
/// stored job have changed, the vote is refused and the job is evaluated and held again.
/// </summary>
internal sealed class Reevaluation(PolicyGate gate, MoveWriter moves, JobDispatch dispatch, TimeProvider time)
{
    /// <summary>Returns why the vote cannot be taken. Null: the job is held by the rules in force.</summary>
    public async Task<VoteRefusal?> CheckAsync(HeldJob held, CancellationToken cancellationToken)
    {
        var (approval, job) = held;
        var decision = (await gate.EvaluateAsync(job, Hop.Dispatch, cancellationToken)).Decision;
        if (decision.Reason == ReasonCodes.NoBundle)
        {
            return new VoteRefusal("no_bundle", "No bundle is in force: no job can be approved until there is one.");
        }

        var why = decision.Verdict switch
        {
            Verdict.RequireApproval => ApprovalUse.WhyInvalid(job, decision, approval),
            Verdict.Deny => $"the rules now deny the job ({decision.Reason})",
            Verdict.Allow or Verdict.AllowWithConstraints => $"the rules no longer require approval {approval.Name}",
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

        // Hold the job at once: the next dispatch of its pool waits for a free slot, and the approvers need the next round now.
        await dispatch.HoldOrEndAsync(await gate.EvaluateAsync(move.After, Hop.Dispatch, cancellationToken), cancellationToken);
        var changed = new ChangedHash("policy_hash", approval.PolicyHash, decision.PolicyHash);
        return new VoteRefusal("changed", $"{why}; the job is evaluated again.") { Changed = [changed] };
    }
}
