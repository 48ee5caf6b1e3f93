using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using MassTransit.Mediator;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>
/// Takes votes: checks who votes on what, asks whether the rules still hold the job for the same reasons, and hands the vote to the saga.
/// When it answers, the vote is committed; a vote that does not count is on the timeline too, the first of its kind. Others who change
/// the job at the same time lead to a refusal, never to a fault.
/// </summary>
internal sealed class Voting(
    IMediator mediator,
    Approvers approvers,
    MoveWriter moves,
    Reevaluation reevaluation,
    RefusedVotes refused,
    IDbContextFactory<DispatcherDb> database,
    StoreClock clock
)
{
    private const int Tries = 5;

    public async Task<VoteAnswer> CastAsync(CastVote cast, CancellationToken cancellationToken)
    {
        HeldJob? held = null;
        for (var tries = 0; tries < Tries; tries++)
        {
            held = await FindAsync(cast, cancellationToken);
            if (held is null)
            {
                return new VoteAnswer(null, null, null);
            }

            if (held.Approval.Votes.Any(vote => Same(vote, cast)))
            {
                return new VoteAnswer(held.Approval, held.Job, null);
            }

            if (await RefusalAsync(held, cast, cancellationToken) is { } refusal)
            {
                if (refusal.IsRaced)
                {
                    continue;
                }

                await refused.RecordAsync(held, cast, refusal, cancellationToken);
                return new VoteAnswer(held.Approval, held.Job, refusal);
            }

            if (await TryWriteAsync(cast, cancellationToken) is { } counted)
            {
                return counted;
            }
        }

        return new VoteAnswer(held!.Approval, held.Job, VoteRefusal.Raced(held.Approval));
    }

    /// <summary>Null: others changed the approval or its job first, and the vote changed nothing.</summary>
    private async Task<VoteAnswer?> TryWriteAsync(CastVote cast, CancellationToken cancellationToken)
    {
        try
        {
            await mediator.Send(cast, cancellationToken);
        }
        catch (DbUpdateConcurrencyException)
        {
            return null;
        }

        var after = await FindAsync(cast, cancellationToken);
        if (cast.Moved is not { } moved || after?.Approval.Votes.Any(vote => Same(vote, cast)) != true)
        {
            return null;
        }

        moves.Publish([moved]);
        return new VoteAnswer(after.Approval, moved.After, null);
    }

    private async Task<HeldJob?> FindAsync(CastVote cast, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var asked = db.Approvals.Where(approval => approval.CorrelationId == cast.ApprovalId);
        return await HeldJob.Of(db, asked).SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>The same vote again, because its answer was lost: answered as the first time.</summary>
    private static bool Same(Vote vote, CastVote cast) =>
        vote.Person == cast.Person && vote.Verdict == cast.Verdict && vote.JobHash == cast.JobHash && vote.PolicyHash == cast.PolicyHash;

    private async Task<VoteRefusal?> RefusalAsync(HeldJob held, CastVote cast, CancellationToken cancellationToken)
    {
        var (approval, job) = held;
        var people = await approvers.PeopleByPrincipalAsync([job.Principal, .. approval.Requirement.Exclude], cancellationToken);
        return VoteRules.Standing(cast, job.Principal, approval.Requirement, people)
            ?? VoteRules.Timeliness(approval, cast, clock.Now)
            ?? (job.State == JobState.Held && job.ApprovalRound == approval.Round ? null : VoteRefusal.Raced(approval))
            ?? await reevaluation.WhyAsync(held, cancellationToken);
    }
}

/// <summary>What became of a vote.</summary>
/// <param name="Approval">As it is afterwards. Null: there is none of this id.</param>
/// <param name="Job">As it is afterwards.</param>
/// <param name="Refusal">Why it did not count. Null: it did.</param>
internal sealed record VoteAnswer(Approval? Approval, Job? Job, VoteRefusal? Refusal);
