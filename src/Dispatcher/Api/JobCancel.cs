using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>Takes a job back: at once while nobody has claimed it; afterwards the worker is told by its next heartbeat, and its outcome decides.</summary>
internal sealed class JobCancel(MoveWriter moves, IDbContextFactory<DispatcherDb> database)
{
    /// <summary>The job as it is afterwards.</summary>
    public async Task<Job> CancelAsync(Guid jobId, string actor, CancellationToken cancellationToken)
    {
        while (true)
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var job = await db.Jobs.Where(row => row.JobId == jobId).WithoutPayload().SingleAsync(cancellationToken);
            if (job.State.IsFinal() || job.CancelRequested)
            {
                return job;
            }

            var move = Cancelled(job, actor);
            if (await moves.AddAsync(move, cancellationToken) == MoveResult.Moved)
            {
                return move.After;
            }
        }
    }

    private static Move Cancelled(Job job, string actor)
    {
        var after =
            job.State == JobState.Running
                ? job with
                {
                    CancelRequested = true,
                }
                : job with
                {
                    State = JobState.Cancelled,
                    CancelRequested = true,
                    Reason = $"cancelled by {actor}",
                };
        var kind = after.State == JobState.Cancelled ? TimelineKinds.Cancelled : TimelineKinds.CancelRequested;
        return new Move(job, after) { Entry = JobEntries.Asked(kind, after, actor) };
    }
}
