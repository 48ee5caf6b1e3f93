using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Approvals;

/// <summary>Timeline entries of votes and of invalidated approvals.</summary>
internal static class VoteEntries
{
    /// <summary>A vote that counted, with the hashes that it names and the state of the job after it.</summary>
    public static TimelineEntry Voted(string kind, Job job, Approval approval, Vote vote) =>
        TimelineEntry.Of(
            kind,
            job,
            vote.Subject,
            new
            {
                ApprovalId = approval.Name,
                vote.Verdict,
                vote.Person,
                vote.Groups,
                vote.Reason,
                vote.JobHash,
                vote.PolicyHash,
                vote.ViewHash,
                approval.BasisHash,
                approval.UseBy,
                approval.Requirement.Covers,
                State = job.State,
            }
        );

    /// <summary>A vote that did not count, and why.</summary>
    public static TimelineEntry VoteRefused(Job job, Approval approval, CastVote cast, VoteRefusal refusal) =>
        TimelineEntry.Of(
            TimelineKinds.VoteRefused,
            job,
            cast.Subject,
            new
            {
                ApprovalId = approval.Name,
                cast.Verdict,
                cast.Person,
                cast.Reason,
                cast.JobHash,
                cast.PolicyHash,
                cast.ViewHash,
                refusal.Code,
                Why = refusal.Message,
                State = job.State,
            }
        );

    /// <summary>A forged event states that the job is approved.</summary>
    public static TimelineEntry EventRefused(Job job, string sender) =>
        TimelineEntry.Of(
            TimelineKinds.EventRefused,
            job,
            sender,
            new
            {
                Event = WireNames.Of(JobState.Approved),
                Why = "the job has no such approval; approvals are given over HTTP only",
                State = job.State,
            }
        );

    /// <summary>The approval is no longer valid: the job is evaluated again.</summary>
    public static TimelineEntry Invalidated(Job job, Approval approval, string why) =>
        TimelineEntry.Of(
            TimelineKinds.Invalidated,
            job,
            TimelineEntry.SystemActor,
            new
            {
                ApprovalId = approval.Name,
                Why = why,
                approval.PolicyHash,
                approval.BasisHash,
                State = job.State,
            }
        );
}
