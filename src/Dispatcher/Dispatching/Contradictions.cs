using System.Text.Json;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>
/// Explains why the store refused a dispatch that the timeline contradicts. This happens only after a change of the database by another
/// program.
/// </summary>
internal sealed class Contradictions(IDbContextFactory<DispatcherDb> database)
{
    /// <summary>The contradiction between timeline and rows, as a sentence.</summary>
    public async Task<string> WhyAsync(Job job, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var intake = await db
            .Timeline.AsNoTracking()
            .Where(entry => entry.JobId == job.JobId && (entry.Kind == TimelineKinds.Accepted || entry.Kind == TimelineKinds.Held))
            .OrderBy(entry => entry.EntryId)
            .FirstOrDefaultAsync(cancellationToken);
        var hash = HashOf(intake);
        return hash is null ? $"No entry of intake names a job hash; the row has {job.JobHash}."
            : hash != job.JobHash ? $"Entry {intake!.EntryId} of intake names job hash {hash}; the row has {job.JobHash}."
            : $"No entry approves job hash {job.JobHash} as {Approval.NameOf(job.JobId, job.ApprovalRound)} under the same rules "
                + "and times, or a dispatch has used that approval.";
    }

    private static string? HashOf(TimelineEntry? intake)
    {
        try
        {
            return intake is null ? null : IntakeEntries.Answer(intake)?.JobHash;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
