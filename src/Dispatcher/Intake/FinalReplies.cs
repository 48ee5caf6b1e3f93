using Dispatcher.Events;
using Dispatcher.Jobs;
using Dispatcher.Relaying;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Intake;

/// <summary>
/// The final state of a job that is handed in again after its end: a producer that missed the first reply gets it once more, to the reply queue of the new
/// submission.
/// </summary>
internal sealed class FinalReplies(IDbContextFactory<DispatcherDb> database, JobEvents events)
{
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
