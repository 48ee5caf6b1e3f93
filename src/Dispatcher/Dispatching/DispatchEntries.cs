using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;

namespace Dispatcher.Dispatching;

/// <summary>Timeline entries of dispatch decisions and claims. They name ids and hashes, never the payload.</summary>
internal static class DispatchEntries
{
    /// <summary>The decision at dispatch, of any verdict.</summary>
    public static TimelineEntry Evaluated(
        string kind,
        Job job,
        Evaluated<Job> evaluated,
        ClaimedPermit? permit = null,
        string? why = null
    ) =>
        TimelineEntry.Of(
            kind,
            job,
            TimelineEntry.SystemActor,
            new
            {
                ApprovalId = evaluated.Decision.Verdict == Verdict.RequireApproval ? Approval.NameOf(job.JobId, job.ApprovalRound) : null,
                Why = why,
                DecidedAttempt = job.NextTry(),
                evaluated.Decision.Verdict,
                evaluated.Decision.Rules,
                evaluated.Decision.MatchedRules,
                evaluated.Decision.Reason,
                evaluated.Decision.Detail,
                evaluated.Decision.Constraints,
                evaluated.Decision.PolicyHash,
                evaluated.Decision.BasisHash,
                DecidedAt = evaluated.At,
                job.JobHash,
                job.Pool,
                permit?.PermitId,
                permit?.WorkSha256,
            }
        );

    public static TimelineEntry Claimed(Job job, Guid permitId) =>
        TimelineEntry.Of(
            TimelineKinds.Claimed,
            job,
            job.ClaimedBy!,
            new
            {
                job.Worker,
                job.RunId,
                PermitId = permitId,
            }
        );
}
