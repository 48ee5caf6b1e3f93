using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>
/// Measures every few seconds whether this process can work, and what waits in the store. No query is on the path of a job.
/// </summary>
internal sealed class StoreMonitor(
    IDbContextFactory<DispatcherDb> database,
    Readiness readiness,
    CurrentBundle current,
    StoreClock clock,
    DispatcherMetrics metrics,
    StoreMetrics store,
    TimeProvider time,
    ILogger<StoreMonitor> logger,
    RabbitConnection? broker = null
) : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    private readonly HashSet<string> _owners = new(StringComparer.Ordinal);

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        // First the metrics that need no database: operators need them while it is unavailable.
        NoteProcess();
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await NoteFreezesAsync(db, cancellationToken);
        Note(await StoreFigures.ReadAsync(db, clock.Now, cancellationToken));
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        NoteProcess();
        await base.StartAsync(cancellationToken);
    }

    private void NoteProcess()
    {
        foreach (var (check, result) in readiness.ShortChecks)
        {
            store.CheckSeen(check, result == "ok");
        }

        store.Ready(readiness.IsReady);
        store.ClockSeen(clock.Offset);
        store.BundleSeen(current.InForce.Bundle is null ? "" : current.InForce.Hash);
        store.BrokerBlocked(broker?.Blocked is not null);
    }

    private async Task NoteFreezesAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var kinds = await db.Freezes.Where(Freeze.IsInForce(clock.Now)).Select(freeze => freeze.Kind).ToListAsync(cancellationToken);
        foreach (var kind in FreezeKinds.List)
        {
            store.FreezesSeen(kind, kinds.Count(one => one == kind));
        }
    }

    private void Note(StoreFigures figures)
    {
        var (approvals, outbox) = (figures.Approvals, figures.Outbox);
        metrics.ApprovalsWait(approvals.Count, Since(approvals.MedianAt), Since(approvals.OldestAt));
        store.OutboxSeen(outbox.Waiting, Since(outbox.OldestAt), outbox.Parked);
        foreach (var owner in figures.DeadLetters)
        {
            store.DeadLettersSeen(owner.Owner, owner.Count, Since(owner.OldestAt));
        }

        // A gauge keeps its last value, so an owner that has none any more must be recorded.
        var owners = figures.DeadLetters.Select(owner => owner.Owner).ToList();
        foreach (var gone in _owners.Except(owners))
        {
            store.DeadLettersSeen(gone, 0, TimeSpan.Zero);
        }

        _owners.UnionWith(owners);
    }

    private TimeSpan Since(long? since) => since is null ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Math.Max(0, clock.Now - since.Value));
}
