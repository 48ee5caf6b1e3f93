using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>Starts rounds of approval. Pure.</summary>
internal static class ApprovalRounds
{
    /// <summary>Holds the job for the next round: returns the held job and the approval that it waits for.</summary>
    /// <param name="job">The job before the round.</param>
    /// <param name="decision">The decision, with verdict REQUIRE_APPROVAL.</param>
    /// <param name="now">Microseconds since 1970 by the database's clock.</param>
    public static (Job Job, Approval Approval) Hold(Job job, Decision decision, long now)
    {
        var requirement =
            decision.Approval ?? throw new ArgumentException("Only a decision that requires an approval holds a job.", nameof(decision));
        var decideBy = Math.Min(now + Timestamps.Micros(requirement.DecideWithin), job.NotAfter ?? long.MaxValue);
        var held = job.With(decision) with { State = Contracts.JobState.Held, ApprovalRound = job.ApprovalRound + 1, DueAt = decideBy };
        var approval = new Approval
        {
            CorrelationId = Approval.IdOf(held.JobId, held.ApprovalRound),
            JobId = held.JobId,
            Round = held.ApprovalRound,
            JobHash = held.JobHash,
            PolicyHash = held.PolicyHash,
            BasisHash = held.BasisHash,
            Requirement = requirement,
            CreatedAt = now,
            DecideBy = decideBy,
        };
        approval.ViewHash = ReviewSnapshot.Of(held, approval).Hash();
        return (held, approval);
    }
}
