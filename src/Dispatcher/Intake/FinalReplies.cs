using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Intake;

/// <summary>
/// Sends the final state of a job to the reply queue of its submitter: once when the job ends, and again when the submitter submits the
/// same job after its end, because it may have missed the first reply.
/// </summary>
internal sealed class FinalReplies(IDbContextFactory<DispatcherDb> database, JobEvents events, Relay relay) : IMoveSubscriber
{
    public void Committed(IReadOnlyList<Move> moves)
    {
        foreach (var job in moves.Select(move => move.After).Where(job => job.ReplyTo is not null && job.State.IsFinal()))
        {
            relay.Answer(events.Final(job, job.ReplyTo!, job.CorrelationId));
        }
    }

    /// <summary>Null: the job has not ended, or the submission names no reply queue of its principal.</summary>
    public async Task<Reply?> OfAsync(Guid jobId, SubmissionSource source, CancellationToken cancellationToken)
    {
        if (source.AllowedReplyTo is not { } queue)
        {
            return null;
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var job = await db
            .Jobs.Where(row => row.JobId == jobId && row.Principal == source.Principal)
            .WithoutPayload()
            .SingleOrDefaultAsync(cancellationToken);
        return job?.State.IsFinal() == true ? events.Final(job, queue, source.CorrelationId) : null;
    }
}
