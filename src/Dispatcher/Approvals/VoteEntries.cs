using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.Approvals;

/// <summary>Timeline entries of votes and of approvals that no longer hold.</summary>
internal static class VoteEntries
{
    /// <summary>A vote that counted: whose, for what, in which words, and what it led to.</summary>
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

    /// <summary>An event said that the job is approved, and no approval was ever given.</summary>
    public static TimelineEntry EventRefused(Job job, string sender) =>
        TimelineEntry.Of(
            TimelineKinds.EventRefused,
            job,
            sender,
            new
            {
                Event = WireNames.Of(JobState.Approved),
                Why = "no such approval was given; approvals are given over HTTP only",
                State = job.State,
            }
        );

    /// <summary>What the job was held for is no longer so: it is decided again.</summary>
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
