using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>Whether an approval may pay for the attempt that a decision asks one for. Pure; in doubt it may not.</summary>
internal static class ApprovalUse
{
    /// <summary>What to do with a job that a decision lets go only with an approval.</summary>
    /// <param name="job">The job as it was read.</param>
    /// <param name="decision">The decision at dispatch, REQUIRE_APPROVAL.</param>
    /// <param name="approval">Its last round; null: there is none.</param>
    /// <param name="approvers">Those of its approvers who may still vote, with the groups they have now.</param>
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
                $"approval {approval.Name} is {approval.State.ToLowerInvariant()}: each attempt needs its own"
            );
        }

        return WhyItFell(job, decision, approval, approvers) is { } why ? new UseResult(UseVerdict.Hold, why)
            : approval.UseBy >= now ? new UseResult(UseVerdict.Use, null)
            : approval.State == ApprovalStates.Approved
                ? new UseResult(UseVerdict.Expired, $"approval {approval.Name} was not used in time")
            : new UseResult(UseVerdict.Hold, $"the time to use approval {approval.Name} has passed");
    }

    /// <summary>An approval that paid for an attempt pays for the next one only if its rules, then and now, say so.</summary>
    private static bool CoversRetry(Job job, Decision decision, Approval approval) =>
        approval.State == ApprovalStates.Consumed
        && job.State is JobState.Retrying or JobState.Accepted
        && approval.Requirement.Covers == ApprovalCover.Retries
        && decision.Approval?.Covers == ApprovalCover.Retries;

    private static string? WhyItFell(Job job, Decision decision, Approval approval, IReadOnlyCollection<Voter> approvers) =>
        WhyItFell(job, decision, approval)
        // The same basis has the same requirement; the row of the approval is not trusted for it.
        ?? (
            Quorum.Missing(decision.Approval ?? approval.Requirement, approvers) is { Length: > 0 } missing
                ? $"an approver of {approval.Name} no longer counts; missing: {missing}"
                : null
        );

    /// <summary>Why an approval is not, or no longer, of this job under these rules, whoever voted; asked before a vote is taken too. Null: it is.</summary>
    public static string? WhyItFell(Job job, Decision decision, Approval approval)
    {
        if (approval.JobHash != job.JobHash)
        {
            return $"approval {approval.Name} is of another job";
        }

        if (approval.BasisHash.Length == 0 || approval.BasisHash != decision.BasisHash)
        {
            return $"the rules that approval {approval.Name} rests on have changed";
        }

        if (approval.PolicyHash != decision.PolicyHash && decision.Approval?.OnPolicyChange != OnPolicyChange.SameBasis)
        {
            return $"another bundle is in force, and approval {approval.Name} does not outlive that";
        }

        // A job that has run under it tells of that run since.
        return approval.State != ApprovalStates.Consumed && ReviewSnapshot.Of(job, approval).Hash() != approval.ViewHash
            ? $"what is stored of the job is not what was shown for approval {approval.Name}"
            : null;
    }
}

/// <summary>What became of the question, and why it was not simply yes.</summary>
internal sealed record UseResult(UseVerdict Verdict, string? Why);

/// <summary>What follows for a job that needs an approval.</summary>
internal enum UseVerdict
{
    /// <summary>Dispatch it and consume the approval.</summary>
    Use,

    /// <summary>Hold it for a new round.</summary>
    Hold,

    /// <summary>End it: it was approved and not started in time.</summary>
    Expired,
}
