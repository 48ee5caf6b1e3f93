using Dispatcher.Jobs;
using Dispatcher.Storing;
using Dispatcher.Timelines;
using MassTransit.Mediator;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>
/// Takes votes: checks who votes on what, asks whether the rules still hold the job for the same reasons, and hands the vote to the saga. When it answers, the vote is
/// committed; a vote that does not count is on the timeline too.
/// </summary>
internal sealed class Voting(IMediator mediator, Approvers approvers, MoveWriter moves, Redeciding redeciding, IStore store, IDbContextFactory<DispatcherDb> database, StoreClock clock)
{
    private const int Tries = 5;

    public async Task<VoteAnswer> CastAsync(CastVote cast, CancellationToken cancellationToken)
    {
        for (var tries = 0; tries < Tries; tries++)
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            if (await db.Approvals.AsNoTracking().SingleOrDefaultAsync(row => row.CorrelationId == cast.ApprovalId, cancellationToken) is not { } approval)
            {
                return new VoteAnswer(null, null, null);
            }

            var job = await db.Jobs.AsNoTracking().SingleAsync(row => row.JobId == approval.JobId, cancellationToken);
            if (approval.Votes.Any(vote => Same(vote, cast)))
            {
                return new VoteAnswer(approval, job, null);
            }

            if (await RefusalAsync(job, approval, cast, cancellationToken) is { } refusal)
            {
                await store.RecordAsync([TimelineDetails.VoteRefused(job, approval, cast, refusal)], [], cancellationToken);
                return new VoteAnswer(approval, job, refusal);
            }

            await mediator.Send(cast, cancellationToken);
            var after = await db.Approvals.AsNoTracking().SingleAsync(row => row.CorrelationId == cast.ApprovalId, cancellationToken);
            if (cast.Moved is { } moved && after.Votes.Any(vote => Same(vote, cast)))
            {
                moves.Tell([moved]);
                return new VoteAnswer(after, moved.After, null);
            }
        }

        throw new DbUpdateConcurrencyException($"Approval {cast.ApprovalId} changed {Tries} times while a vote on it was written.");
    }

    /// <summary>The same vote again, because its answer was lost: answered as the first time.</summary>
    private static bool Same(Vote vote, CastVote cast) =>
        vote.Person == cast.Person && vote.Verdict == cast.Verdict && vote.JobHash == cast.JobHash && vote.PolicyHash == cast.PolicyHash;

    private async Task<VoteRefusal?> RefusalAsync(Job job, Approval approval, CastVote cast, CancellationToken cancellationToken)
    {
        var people = await approvers.PeopleByPrincipalAsync([job.Principal, .. approval.Requirement.Exclude], cancellationToken);
        return VoteRules.Standing(cast, job.Principal, approval.Requirement, people)
            ?? VoteRules.Timeliness(approval, cast, clock.Now)
            ?? await redeciding.WhyAsync(job, approval, cancellationToken);
    }
}

/// <summary>What became of a vote.</summary>
/// <param name="Approval">As it is afterwards. Null: there is none of this id.</param>
/// <param name="Job">As it is afterwards.</param>
/// <param name="Refusal">Why it did not count. Null: it did.</param>
internal sealed record VoteAnswer(Approval? Approval, Job? Job, VoteRefusal? Refusal);
