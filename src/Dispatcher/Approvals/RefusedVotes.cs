using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>
/// Records votes that do not count. The timeline has the first of each approval, key subject and reason; all are counted in a metric.
/// Otherwise a voter could fill the timeline, which is never cut.
/// </summary>
internal sealed class RefusedVotes(IStore store, IDbContextFactory<DispatcherDb> database, DispatcherMetrics metrics) : IDisposable
{
    /// <summary>
    /// Two equal refusals at the same moment must see each other. Those of two servers may not: then the timeline has both.
    /// </summary>
    private readonly SemaphoreSlim _one = new(1, 1);

    public async Task RecordAsync(HeldJob held, CastVote cast, VoteRefusal refusal, CancellationToken cancellationToken)
    {
        metrics.VoteRefused(refusal.Code);
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (!await IsRecordedAsync(held, cast, refusal, cancellationToken))
            {
                await store.RecordAsync([VoteEntries.VoteRefused(held.Job, held.Approval, cast, refusal)], [], cancellationToken);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task<bool> IsRecordedAsync(HeldJob held, CastVote cast, VoteRefusal refusal, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var details = await db
            .Timeline.Where(entry =>
                entry.JobId == held.Job.JobId && entry.Kind == TimelineKinds.VoteRefused && entry.Actor == cast.Subject
            )
            .Select(entry => entry.Detail)
            .ToListAsync(cancellationToken);
        return details.Any(detail => Is(detail, held.Approval.Name, refusal.Code));
    }

    private static bool Is(byte[] detail, string approval, string code)
    {
        using var json = JsonDocument.Parse(detail);
        return json.RootElement.GetProperty("approval_id").ValueEquals(approval) && json.RootElement.GetProperty("code").ValueEquals(code);
    }
}
