using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Tables;

/// <summary>Reads and writes the tables of inbox and outbox. Each method is one statement.</summary>
internal static class OutboxTables
{
    /// <summary>Claims the message for the consumer. False: it is a duplicate.</summary>
    public static async Task<bool> ClaimAsync(this DbContext db, InboxRow row, CancellationToken cancellationToken) =>
        await db.Database.ExecuteSqlRawAsync(OutboxSql.Of(db).Claim, [row.MessageId, row.ConsumerId, row.ReceivedAt], cancellationToken)
        == 1;

    /// <summary>Returns the due rows and takes a lease on them.</summary>
    public static async Task<IReadOnlyList<OutboxRow>> TakeDueAsync(
        this DbContext db,
        int most,
        DateTimeOffset now,
        TimeSpan lease,
        CancellationToken cancellationToken
    )
    {
        object[] parameters = [Micros.Of(now + lease), Micros.Of(now), most];
        var rows = await db.Set<OutboxRow>().FromSqlRaw(OutboxSql.Of(db).TakeDue, parameters).AsNoTracking().ToListAsync(cancellationToken);
        return [.. rows.OrderBy(row => row.SequenceNumber)];
    }

    public static Task RemoveAsync(this DbContext db, IReadOnlyCollection<long> sent, CancellationToken cancellationToken) =>
        db.Set<OutboxRow>().Where(row => sent.Contains(row.SequenceNumber)).ExecuteDeleteAsync(cancellationToken);

    /// <summary>Stores a failure and the time of the next attempt. <paramref name="nextAt"/> null: parks the row.</summary>
    public static Task DeferAsync(
        this DbContext db,
        OutboxRow failed,
        string error,
        DateTimeOffset? nextAt,
        CancellationToken cancellationToken
    )
    {
        long? next = nextAt is { } at ? Micros.Of(at) : null;
        return db.Set<OutboxRow>()
            .Where(row => row.SequenceNumber == failed.SequenceNumber)
            .ExecuteUpdateAsync(
                set =>
                    set.SetProperty(row => row.Attempts, failed.Attempts + 1)
                        .SetProperty(row => row.LastError, error)
                        .SetProperty(row => row.NextAt, next),
                cancellationToken
            );
    }

    /// <summary>Removes old inbox rows and returns how many. Fewer than <paramref name="most"/>: no old row is left.</summary>
    public static Task<int> RemoveOldAsync(this DbContext db, DateTimeOffset before, int most, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlRawAsync(OutboxSql.Of(db).RemoveOld, [Micros.Of(before), most], cancellationToken);
}
