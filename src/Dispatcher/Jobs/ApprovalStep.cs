using System.Diagnostics;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>
/// The state change of an approval that goes with a move of its job. Both rows change in one transaction, so that a job never leaves behind
/// an approval that can still be used. A dispatch under <c>REQUIRE_APPROVAL</c> must consume one; without it the store applies no move.
/// </summary>
/// <param name="ApprovalId">Id of the approval.</param>
/// <param name="From">The state it must have.</param>
/// <param name="To">The state it gets.</param>
/// <param name="EndReason">Why it ended, in words. Null: it did not end, or it was used.</param>
internal sealed record ApprovalStep(Guid ApprovalId, string From, string To, string? EndReason)
{
    /// <summary>
    /// The step that goes with this move of a job. Null: the approval, if there is one, does not change. Only votes approve and reject.
    /// </summary>
    public static ApprovalStep? Of(Job before, Job after)
    {
        if (after.State == JobState.Dispatched && before.State != JobState.Dispatched && after.Verdict == Verdict.RequireApproval)
        {
            return Step(
                before,
                before.State == JobState.Approved ? ApprovalStates.Approved : ApprovalStates.Consumed,
                ApprovalStates.Consumed,
                null
            );
        }

        return before.ApprovalRound == 0 || before.State == after.State
            ? null
            : before.State switch
            {
                JobState.Held => Left(before, after, ApprovalStates.Held),
                JobState.Approved => Left(before, after, ApprovalStates.Approved),

                // No worker claimed the attempt that used the approval: it is given back.
                JobState.Dispatched when after.State == JobState.Approved => Step(
                    before,
                    ApprovalStates.Consumed,
                    ApprovalStates.Approved,
                    null
                ),
                _ => null,
            };
    }

    private static ApprovalStep? Left(Job before, Job after, string from) =>
        after.State switch
        {
            JobState.Approved or JobState.Rejected => null,
            JobState.Expired => Step(before, from, ApprovalStates.Expired, after.Reason),
            JobState.Accepted or JobState.Held or JobState.Denied or JobState.Cancelled => Step(
                before,
                from,
                ApprovalStates.Invalidated,
                after.Reason
            ),
            JobState.Dispatched => Step(before, from, ApprovalStates.Invalidated, "the rules no longer ask for an approval"),
            JobState.Running or JobState.Retrying or JobState.Succeeded or JobState.Quarantined or JobState.DeadLettered =>
                throw new UnreachableException($"No transition leads from {before.State} to {after.State}."),
        };

    private static ApprovalStep Step(Job job, string from, string to, string? why) =>
        new(Approval.IdOf(job.JobId, job.ApprovalRound), from, to, why);
}
