using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>
/// Measures every few seconds whether this process can work, and what waits in the store: held approvals, the outbox and dead letters.
/// The counts read an index only. No query is on the path of a job.
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
        await NoteApprovalsAsync(db, cancellationToken);
        await NoteOutboxAsync(db, cancellationToken);
        await NoteDeadLettersAsync(db, cancellationToken);
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

    private async Task NoteApprovalsAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var held = db
            .Approvals.Where(approval => approval.State == ApprovalStates.Held)
            .OrderBy(approval => approval.CreatedAt)
            .Select(approval => (long?)approval.CreatedAt);
        var count = await held.CountAsync(cancellationToken);
        var oldest = await held.FirstOrDefaultAsync(cancellationToken);
        var median = await held.Skip(count / 2).FirstOrDefaultAsync(cancellationToken);
        metrics.ApprovalsWait(count, Since(median), Since(oldest));
    }

    private async Task NoteOutboxAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var waiting = await db.Outbox.LongCountAsync(message => !message.Parked, cancellationToken);
        var parked = await db.Outbox.LongCountAsync(message => message.Parked, cancellationToken);
        // An id of version 7 begins with the time at which it was made. Ids of other versions come from clients, and are few.
        var oldest = await db
            .Database.SqlQueryRaw<Guid>(
                """
                select message_id as "Value" from outbox
                where not parked and substr(cast(message_id as text), 15, 1) = '7' order by message_id limit 1
                """
            )
            .ToListAsync(cancellationToken);
        store.OutboxSeen(waiting, Since(oldest.Count == 0 ? null : MadeAt(oldest[0])), parked);
    }

    private async Task NoteDeadLettersAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var owners = await db
            .DeadLetters.GroupBy(letter => letter.Owner)
            .Select(group => new
            {
                group.Key,
                Count = group.LongCount(),
                Oldest = group.Min(letter => letter.At),
            })
            .ToListAsync(cancellationToken);
        foreach (var owner in owners)
        {
            store.DeadLettersSeen(owner.Key, owner.Count, Since(owner.Oldest));
        }

        // A gauge keeps its last value, so an owner that has none any more must be recorded.
        foreach (var gone in _owners.Except(owners.Select(owner => owner.Key)))
        {
            store.DeadLettersSeen(gone, 0, TimeSpan.Zero);
        }

        _owners.UnionWith(owners.Select(owner => owner.Key));
    }

    /// <summary>The first 48 bits of the id are milliseconds since 1970 (RFC 9562, 5.7).</summary>
    internal static long MadeAt(Guid id)
    {
        Span<byte> bytes = stackalloc byte[16];
        id.TryWriteBytes(bytes, bigEndian: true, out _);
        var milliseconds = 0L;
        foreach (var part in bytes[..6])
        {
            milliseconds = (milliseconds << 8) | part;
        }

        return milliseconds * 1_000;
    }

    private TimeSpan Since(long? since) => since is null ? TimeSpan.Zero : TimeSpan.FromMicroseconds(Math.Max(0, clock.Now - since.Value));
}
