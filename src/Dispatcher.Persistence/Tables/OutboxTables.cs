using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Tables;

/// <summary>Each method is one statement.</summary>
internal static class OutboxTables
{
    /// <summary>Whether this consumer may consume the message; false: it has, or had when the transaction that does it commits.</summary>
    public static async Task<bool> ClaimAsync(this DbContext db, InboxRow row, CancellationToken cancellationToken) =>
        await db.Database.ExecuteSqlRawAsync(OutboxSql.Of(db).Claim, [row.MessageId, row.ConsumerId, row.ReceivedAt], cancellationToken)
        == 1;

    /// <summary>What is due, left to us for as long as the lease.</summary>
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

    /// <summary>Notes a failure. <paramref name="nextAt"/> null: parks it.</summary>
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

    /// <summary>How many were forgotten; less than <paramref name="most"/>: there are no more.</summary>
    public static Task<int> ForgetAsync(this DbContext db, DateTimeOffset before, int most, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlRawAsync(OutboxSql.Of(db).Forget, [Micros.Of(before), most], cancellationToken);
}
