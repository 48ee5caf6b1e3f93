using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Policies;
using Dispatcher.Storing;
using Dispatcher.Timelines;

namespace Dispatcher.Approvals;

/// <summary>
/// Before a vote is taken the policy is asked again: nobody shall decide on rules that are no longer in force. When they are others, or what is shown is not what was held,
/// the job goes back to be decided again, and the vote is refused.
/// </summary>
internal sealed class Redeciding(PolicyGate gate, MoveWriter moves, StoreClock clock, TimeProvider time)
{
    /// <summary>Null: the rules that hold the job are those in force.</summary>
    public async Task<VoteRefusal?> WhyAsync(Job job, Approval approval, CancellationToken cancellationToken)
    {
        var decision = (await gate.JudgeAsync(job, Hop.Dispatch, cancellationToken)).Decision;
        if (decision.Reason == ReasonCodes.NoBundle)
        {
            return new VoteRefusal("no_bundle", "No bundle is in force: nothing can be approved until there is one.");
        }

        if (Why(job, approval, decision) is not { } why)
        {
            return null;
        }

        var again = job with { State = JobState.Accepted, DueAt = clock.Now + Timestamps.Micros(JobIntake.DispatchPatience), Reason = why };
        await moves.AddAsync(
            new Move(job, again) { Entry = TimelineDetails.Invalidated(again, approval, why), Outbox = [DispatchBatch.Message([again], time)] }, cancellationToken);
        return new VoteRefusal("changed", $"{why}; the job is decided again.") { Changed = [new ChangedHash("policy_hash", approval.PolicyHash, decision.PolicyHash)] };
    }

    private static string? Why(Job job, Approval approval, Decision decision)
    {
        if (decision.Verdict != Verdict.RequireApproval || decision.BasisHash != approval.BasisHash)
        {
            return "The rules that held the job have changed";
        }

        if (approval.PolicyHash != decision.PolicyHash && decision.Approval!.OnPolicyChange != OnPolicyChange.SameBasis)
        {
            return "Another bundle is in force, and the rule asks for the job to be shown again then";
        }

        return ShownFacts.Of(job, approval).Hash() == approval.ViewHash ? null : "What is stored of the job is not what was held";
    }
}
