using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Approvals;

/// <summary>
/// An approval as approvers see it: the review snapshot that its <see cref="ViewHash"/> covers, the votes, and what is missing.
/// </summary>
internal sealed record ApprovalView
{
    /// <summary>Job id and round.</summary>
    public required string ApprovalId { get; init; }

    public required Guid JobId { get; init; }

    /// <summary><c>held</c>, <c>approved</c>, <c>consumed</c>, <c>rejected</c>, <c>expired</c> or <c>invalidated</c>.</summary>
    public required string State { get; init; }

    public required JobState JobState { get; init; }

    /// <summary>
    /// Risk of the topic in the registry in force: <c>low</c>, <c>medium</c> or <c>high</c>. A topic that is not registered has
    /// <c>high</c>.
    /// </summary>
    public required string Risk { get; init; }

    /// <summary>A vote repeats job hash, policy hash and view hash.</summary>
    public required string JobHash { get; init; }

    public required string PolicyHash { get; init; }
    public required string ViewHash { get; init; }

    /// <summary>
    /// The members that the view hash covers: the job as submitted, the rules and the reason that hold it, and its constraints.
    /// </summary>
    public required ReviewSnapshot Shown { get; init; }

    /// <summary>The handler that would run the job. Null: its topic is not in the registry in force.</summary>
    public WillRun? WillRun { get; init; }

    public required IReadOnlyList<VoteView> Votes { get; init; }

    /// <summary>The missing votes in words. Empty: none.</summary>
    public required string Missing { get; init; }

    /// <summary>Why a vote of the caller would not count. Null: it would count.</summary>
    public VoteRefusal? WhyNot { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }
    public required DateTimeOffset DecideBy { get; init; }
    public DateTimeOffset? DecidedAt { get; init; }
    public DateTimeOffset? UseBy { get; init; }
    public string? EndReason { get; init; }

    public static ApprovalView Of(HeldJob held, JobClass? jobClass, VoteRefusal? whyNot) =>
        new()
        {
            ApprovalId = held.Approval.Name,
            JobId = held.Job.JobId,
            State = held.Approval.State.ToLowerInvariant(),
            JobState = held.Job.State,
            Risk = jobClass?.Risk ?? "high",
            JobHash = held.Approval.JobHash,
            PolicyHash = held.Approval.PolicyHash,
            ViewHash = held.Approval.ViewHash,
            Shown = ReviewSnapshot.Of(held.Job, held.Approval),
            WillRun = jobClass is null ? null : WillRun.Of(held.Job, jobClass),
            Votes = [.. held.Approval.Votes.Select(VoteView.Of)],
            Missing = Quorum.MissingOf(held.Approval),
            WhyNot = whyNot,
            CreatedAt = Timestamps.At(held.Approval.CreatedAt),
            DecideBy = Timestamps.At(held.Approval.DecideBy),
            DecidedAt = Timestamps.At(held.Approval.DecidedAt),
            UseBy = Timestamps.At(held.Approval.UseBy),
            EndReason = held.Approval.EndReason,
        };
}

/// <summary>The handler that would run the job, and its timeout. A lost run of a topic that is not idempotent is not repeated.</summary>
internal sealed record WillRun(string Topic, string Pool, string Owner, long TimeoutMs, bool Idempotent)
{
    public static WillRun Of(Job job, JobClass jobClass) =>
        new(
            job.Topic,
            jobClass.Pool,
            jobClass.Owner,
            (long)Math.Min(jobClass.RunWithin.TotalMilliseconds, job.Constraints?.TimeoutMs ?? double.MaxValue),
            jobClass.Idempotent
        );
}

/// <summary>One vote.</summary>
internal sealed record VoteView(
    string Person,
    string Subject,
    string Verdict,
    string Reason,
    IReadOnlyList<string> Groups,
    string? ViewHash,
    DateTimeOffset At
)
{
    public static VoteView Of(Vote vote) =>
        new(vote.Person, vote.Subject, vote.Verdict, vote.Reason, vote.Groups, vote.ViewHash, Timestamps.At(vote.At));
}

/// <summary>The answer to a vote that counted and is committed.</summary>
/// <param name="ApprovalId">Job id and round.</param>
/// <param name="State">State of the approval after the vote.</param>
/// <param name="JobState">State of the job after the vote.</param>
/// <param name="Missing">The votes that are still missing, in words. Empty: none.</param>
/// <param name="UseBy">When the approval expires unused. Null: it is not approved.</param>
internal sealed record VoteCounted(string ApprovalId, string State, JobState JobState, string Missing, DateTimeOffset? UseBy)
{
    public static VoteCounted Of(Approval approval, Job job) =>
        new(approval.Name, approval.State.ToLowerInvariant(), job.State, Quorum.MissingOf(approval), Timestamps.At(approval.UseBy));
}
