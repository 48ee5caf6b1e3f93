using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using MassTransit;

namespace Dispatcher.Approvals;

/// <summary>
/// The state machine of one approval. HTTP votes reach it through the mediator. The repository locks the row; vote, job, timeline and
/// messages are committed in one transaction before the vote is answered. Only votes approve or reject; every other state change is part of
/// a move of the job: see <see cref="ApprovalStep"/>.
/// </summary>
internal sealed class ApprovalSaga : MassTransitStateMachine<Approval>
{
    public ApprovalSaga(VoteClock clock)
    {
        InstanceState(approval => approval.State);
        Event(
            () => Cast,
            cast =>
            {
                cast.CorrelateById(context => context.Message.ApprovalId);
                cast.OnMissingInstance(missing => missing.Discard());
            }
        );

        // The approval may have changed before the vote has the lock. Such a vote changes nothing, and Voting checks it again.
        During(
            Held,
            When(Cast, vote => clock.Counts(vote) && vote.Message.Verdict == Vote.Reject)
                .Activity(activity => activity.OfType<VoteRecording>())
                .TransitionTo(Rejected),
            When(Cast, vote => clock.Counts(vote) && Completes(vote.Saga, vote.Message))
                .Activity(activity => activity.OfType<VoteRecording>())
                .TransitionTo(Approved),
            When(Cast, vote => clock.Counts(vote) && vote.Message.Verdict == Vote.Approve && !Completes(vote.Saga, vote.Message))
                .Activity(activity => activity.OfType<VoteRecording>())
        );
        During([Approved, Consumed, Rejected, Expired, Invalidated], Ignore(Cast));
    }

    public State Held { get; } = null!;

    public State Approved { get; } = null!;

    public State Consumed { get; } = null!;

    public State Rejected { get; } = null!;

    public State Expired { get; } = null!;

    public State Invalidated { get; } = null!;

    public Event<CastVote> Cast { get; } = null!;

    /// <summary>Whether the approval is complete with this vote.</summary>
    public static bool Completes(Approval approval, CastVote cast) =>
        cast.Verdict == Vote.Approve
        && Quorum.IsEnough(approval.Requirement, [.. Quorum.Approvers(approval.Votes), new Voter(cast.Person, cast.Groups)]);
}
