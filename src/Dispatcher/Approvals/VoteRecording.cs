using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>Checks within the saga, by the clock of the database, whether a vote still counts once the row is locked.</summary>
internal sealed class VoteClock(StoreClock clock)
{
    public bool Counts(BehaviorContext<Approval, CastVote> vote) => VoteRules.Timeliness(vote.Saga, vote.Message, clock.Now) is null;
}

/// <summary>
/// Writes a vote that counts into the approval and onto the timeline, and moves the job if the vote decides. It uses the open transaction
/// of the saga repository.
/// </summary>
internal sealed class VoteRecording(DispatcherDb db, IStore store, MoveWriter moves, StoreClock clock, TimeProvider time)
    : IStateMachineActivity<Approval, CastVote>
{
    public async Task Execute(BehaviorContext<Approval, CastVote> context, IBehavior<Approval, CastVote> next)
    {
        var (approval, cast) = (context.Saga, context.Message);
        var job = await db.Jobs.Where(row => row.JobId == approval.JobId).WithoutPayloadAndResult().SingleAsync(context.CancellationToken);
        if (job.State != JobState.Held || job.ApprovalRound != approval.Round)
        {
            throw new DbUpdateConcurrencyException($"Job {job.JobId} no longer waits for approval {approval.Name}.");
        }

        var vote = cast.At(clock.Now);
        var move = moves.WithEvent(Decided(job, approval, vote, ApprovalSaga.Completes(approval, cast)));
        approval.Votes = [.. approval.Votes, vote];
        if (!(await store.MoveAsync(db, move, context.CancellationToken)).Jobs.Contains(job.JobId))
        {
            // A cancel or the sweep committed first: roll back, and check the vote again.
            throw new DbUpdateConcurrencyException($"Job {job.JobId} was moved while a vote on it was written.");
        }

        cast.Moved = move;
        await next.Execute(context);
    }

    public Task Faulted<TException>(BehaviorExceptionContext<Approval, CastVote, TException> context, IBehavior<Approval, CastVote> next)
        where TException : Exception => next.Faulted(context);

    public void Probe(ProbeContext context) => context.CreateScope("vote");

    public void Accept(StateMachineVisitor visitor) => visitor.Visit(this);

    private Move Decided(Job job, Approval approval, Vote vote, bool completes)
    {
        if (vote.Verdict == Vote.Approve && !completes)
        {
            return new Move(job, job) { Entry = VoteEntries.Voted(TimelineKinds.Voted, job, approval, vote) };
        }

        approval.DecidedAt = vote.At;
        if (vote.Verdict == Vote.Reject)
        {
            approval.EndReason = $"rejected by {vote.Person}: {vote.Reason}";
            var rejected = job with { State = JobState.Rejected, Reason = approval.EndReason };
            return new Move(job, rejected) { Entry = VoteEntries.Voted(TimelineKinds.Rejected, rejected, approval, vote) };
        }

        approval.UseBy = vote.At + Timestamps.Micros(approval.Requirement.UseWithin);
        var approved = job with { State = JobState.Approved, DueAt = Math.Min(approval.UseBy.Value, job.NotAfter ?? long.MaxValue) };
        return new Move(job, approved)
        {
            Entry = VoteEntries.Voted(TimelineKinds.Approved, approved, approval, vote),
            Outbox = [DispatchSignal.Message([approved.Pool!], time)],
        };
    }
}
