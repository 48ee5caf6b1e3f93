using System.Diagnostics;
using Dispatcher.Contracts;

namespace Dispatcher.Jobs;

/// <summary>
/// How an approval follows its job: the one table of it. Every move of a job carries the step of its approval, so that both rows move in one transaction or none does, and
/// no job can leave behind an approval that could still be used. What is dispatched under REQUIRE_APPROVAL must find one to consume, else the store moves nothing.
/// </summary>
/// <param name="ApprovalId">The row.</param>
/// <param name="From">The state it must have.</param>
/// <param name="To">The state it gets.</param>
/// <param name="EndReason">Why it ended, in words. Null: it did not, or was used.</param>
internal sealed record ApprovalStep(Guid ApprovalId, string From, string To, string? EndReason)
{
    /// <summary>The step that goes with this move of a job. Null: its approval, if it has one, stays as it is; only votes approve and reject.</summary>
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

                // Nobody claimed the attempt that it paid for: it is given back.
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
