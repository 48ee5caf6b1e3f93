using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using MassTransit.Mediator;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>
/// Takes votes: checks the voter and the hashes, evaluates the policy again, and sends the vote to the saga. The vote is committed before
/// the answer. A refused vote is recorded by <see cref="RefusedVotes"/>. A concurrent change of the job leads to a refusal, never to an
/// exception.
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
    private const int MaxTries = 5;

    public async Task<VoteAnswer> CastAsync(CastVote cast, CancellationToken cancellationToken)
    {
        HeldJob? held = null;
        for (var tries = 0; tries < MaxTries; tries++)
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

    /// <summary>Null: a concurrent change of the approval or its job came first, and the vote changed nothing.</summary>
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
        var rows = db.Approvals.Where(approval => approval.CorrelationId == cast.ApprovalId);
        return await HeldJob.Of(db, rows).SingleOrDefaultAsync(cancellationToken);
    }

    /// <summary>Whether the vote repeats one whose answer was lost. It is answered like the first one.</summary>
    private static bool Same(Vote vote, CastVote cast) =>
        vote.Person == cast.Person && vote.Verdict == cast.Verdict && vote.JobHash == cast.JobHash && vote.PolicyHash == cast.PolicyHash;

    private async Task<VoteRefusal?> RefusalAsync(HeldJob held, CastVote cast, CancellationToken cancellationToken)
    {
        var (approval, job) = held;
        var people = await approvers.PeopleByPrincipalAsync([job.Principal, .. approval.Requirement.Exclude], cancellationToken);
        return VoteRules.Eligibility(cast, job.Principal, approval.Requirement, people)
            ?? VoteRules.Timeliness(approval, cast, clock.Now)
            ?? (job.State == JobState.Held && job.ApprovalRound == approval.Round ? null : VoteRefusal.Raced(approval))
            ?? await reevaluation.CheckAsync(held, cancellationToken);
    }
}

/// <summary>The result of a vote.</summary>
/// <param name="Approval">The approval after the vote. Null: no approval has this id.</param>
/// <param name="Job">The job after the vote.</param>
/// <param name="Refusal">Why the vote did not count. Null: it counted.</param>
internal sealed record VoteAnswer(Approval? Approval, Job? Job, VoteRefusal? Refusal);
