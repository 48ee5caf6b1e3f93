using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>
/// Cancels a job. A job without a claimed attempt is cancelled at once. Otherwise the next heartbeat notifies the worker, and its outcome
/// decides.
/// </summary>
internal sealed class JobCancel(MoveWriter moves, IDbContextFactory<DispatcherDb> database)
{
    /// <summary>Returns the job after the cancel.</summary>
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
