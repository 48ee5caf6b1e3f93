using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;

namespace Dispatcher.Dispatching;

/// <summary>Timeline entries of dispatch decisions and claims. They name ids and hashes, never the payload.</summary>
internal static class DispatchEntries
{
    /// <summary>The decision at dispatch, whatever it was.</summary>
    public static TimelineEntry Judged(string kind, Job job, Judged<Job> judged, ClaimedPermit? permit = null, string? why = null) =>
        TimelineEntry.Of(
            kind,
            job,
            TimelineEntry.SystemActor,
            new
            {
                ApprovalId = judged.Decision.Verdict == Verdict.RequireApproval ? Approval.NameOf(job.JobId, job.ApprovalRound) : null,
                Why = why,
                DecidedAttempt = job.NextTry(),
                judged.Decision.Verdict,
                judged.Decision.Rules,
                judged.Decision.MatchedRules,
                judged.Decision.Reason,
                judged.Decision.Detail,
                judged.Decision.Constraints,
                judged.Decision.PolicyHash,
                judged.Decision.BasisHash,
                DecidedAt = judged.At,
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
