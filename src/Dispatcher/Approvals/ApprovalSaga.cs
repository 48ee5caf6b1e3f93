using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using MassTransit;

namespace Dispatcher.Approvals;

/// <summary>
/// Holds a job until people have decided. Votes come in over HTTP and reach it through the mediator; the row is loaded with a lock, and vote, job, timeline and messages
/// are committed in one transaction before the vote is answered. Only votes approve or reject; all else happens to an approval with a move of its job: see <see cref="ApprovalStep"/>.
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

        // What was right when the vote came in may be over by the time it has the lock: such a vote changes nothing, and whoever cast it looks again.
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
