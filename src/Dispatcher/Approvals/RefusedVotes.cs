using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>
/// Records votes that do not count. The timeline keeps the first one for each approval, key subject and refusal code, because a voter could
/// otherwise fill it: entries are never deleted. A metric counts all of them.
/// </summary>
internal sealed class RefusedVotes(IStore store, IDbContextFactory<DispatcherDb> database, DispatcherMetrics metrics) : IDisposable
{
    /// <summary>
    /// Two equal refusals at the same moment must see each other. Two servers do not share the lock; the timeline then has both.
    /// </summary>
    private readonly SemaphoreSlim _lock = new(1, 1);

    public async Task RecordAsync(HeldJob held, CastVote cast, VoteRefusal refusal, CancellationToken cancellationToken)
    {
        metrics.VoteRefused(refusal.Code);
        await _lock.WaitAsync(cancellationToken);
        try
        {
            if (!await IsRecordedAsync(held, cast, refusal, cancellationToken))
            {
                await store.RecordAsync([VoteEntries.VoteRefused(held.Job, held.Approval, cast, refusal)], [], cancellationToken);
            }
        }
        finally
        {
            _lock.Release();
        }
    }

    public void Dispose() => _lock.Dispose();

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
