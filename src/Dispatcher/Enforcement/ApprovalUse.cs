using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>
/// Checks at dispatch whether an approval is valid for the attempt. Pure. It fails closed: in every case that is not valid, the job is held
/// again or expires.
/// </summary>
internal static class ApprovalUse
{
    /// <summary>Decides whether a job that requires an approval is dispatched, held or expired.</summary>
    /// <param name="job">The job as it was read.</param>
    /// <param name="decision">The decision at dispatch, with verdict REQUIRE_APPROVAL.</param>
    /// <param name="approval">The last round of approval. Null: there is none.</param>
    /// <param name="approvers">The approvers who may still vote, with their present groups.</param>
    /// <param name="now">Microseconds since 1970 by the database's clock.</param>
    public static UseResult Of(Job job, Decision decision, Approval? approval, IReadOnlyCollection<Voter> approvers, long now)
    {
        if (approval is null)
        {
            return new UseResult(UseVerdict.Hold, null);
        }

        if (approval.State != ApprovalStates.Approved && !CoversRetry(job, decision, approval))
        {
            return new UseResult(
                UseVerdict.Hold,
                $"approval {approval.Name} is {approval.State.ToLowerInvariant()}: each attempt needs its own approval"
            );
        }

        return WhyInvalid(job, decision, approval, approvers) is { } why ? new UseResult(UseVerdict.Hold, why)
            : approval.UseBy >= now ? new UseResult(UseVerdict.Use, null)
            : approval.State == ApprovalStates.Approved
                ? new UseResult(UseVerdict.Expired, $"approval {approval.Name} was not used in time")
            : new UseResult(UseVerdict.Hold, $"the time to use approval {approval.Name} has passed");
    }

    /// <summary>
    /// Whether an approval that was used for one attempt also covers a retry: both its own requirement and the present decision must allow
    /// it.
    /// </summary>
    private static bool CoversRetry(Job job, Decision decision, Approval approval) =>
        approval.State == ApprovalStates.Consumed
        && job.State is JobState.Retrying or JobState.Accepted
        && approval.Requirement.Covers == ApprovalCover.Retries
        && decision.Approval?.Covers == ApprovalCover.Retries;

    private static string? WhyInvalid(Job job, Decision decision, Approval approval, IReadOnlyCollection<Voter> approvers) =>
        WhyInvalid(job, decision, approval)
        // The requirement comes from the decision: the basis is the same, and the row of the approval may have been changed.
        ?? (
            Quorum.Missing(decision.Approval ?? approval.Requirement, approvers) is { Length: > 0 } missing
                ? $"an approver of {approval.Name} no longer counts; missing: {missing}"
                : null
        );

    /// <summary>
    /// Why the approval is not valid for this job under this decision, regardless of the votes. It is also checked before a vote is taken.
    /// Null: the approval is valid.
    /// </summary>
    public static string? WhyInvalid(Job job, Decision decision, Approval approval)
    {
        if (approval.JobHash != job.JobHash)
        {
            return $"approval {approval.Name} was given for another job hash";
        }

        if (approval.BasisHash.Length == 0 || approval.BasisHash != decision.BasisHash)
        {
            return $"the rules on which approval {approval.Name} is based have changed";
        }

        if (approval.PolicyHash != decision.PolicyHash && decision.Approval?.OnPolicyChange != OnPolicyChange.SameBasis)
        {
            return $"another bundle is in force, and the rule invalidates approval {approval.Name} on a policy change";
        }

        // After a run under this approval the stored job differs from the snapshot, because it records that run.
        return approval.State != ApprovalStates.Consumed && ReviewSnapshot.Of(job, approval).Hash() != approval.ViewHash
            ? $"the stored job differs from the review snapshot of approval {approval.Name}"
            : null;
    }
}

/// <summary>
/// The verdict, and the reason when it is not <see cref="UseVerdict.Use"/>. The reason is null if the job has no approval.
/// </summary>
internal sealed record UseResult(UseVerdict Verdict, string? Why);

/// <summary>The verdicts on a job that requires an approval.</summary>
internal enum UseVerdict
{
    /// <summary>Dispatch the job and consume the approval.</summary>
    Use,

    /// <summary>Hold the job for a new round.</summary>
    Hold,

    /// <summary>Expire the job: it was approved and not dispatched in time.</summary>
    Expired,
}
