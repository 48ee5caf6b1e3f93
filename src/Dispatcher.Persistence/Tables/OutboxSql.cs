using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Tables;

/// <summary>The statements that EF Core cannot express, built once for each model.</summary>
internal sealed record OutboxSql
{
    /// <summary>
    /// Parameters: message id, consumer id, time. One row: the message is claimed. No row: it is a duplicate. A concurrent duplicate waits
    /// here until the first transaction ends.
    /// </summary>
    public required string Claim { get; init; }

    /// <summary>Parameters: end of the lease, time, limit. Returns the due rows and takes a lease on them.</summary>
    public required string TakeDue { get; init; }

    /// <summary>Parameters: time, limit. Removes inbox rows that are older.</summary>
    public required string RemoveOld { get; init; }

    public static OutboxSql Of(DbContext db) => db.Model.GetOrAddRuntimeAnnotationValue("Dispatcher.Persistence:Sql", From!, db);

    private static OutboxSql From(DbContext db)
    {
        var inbox = new Table(db, typeof(InboxRow));
        var (message, consumer, received) = (
            inbox[nameof(InboxRow.MessageId)],
            inbox[nameof(InboxRow.ConsumerId)],
            inbox[nameof(InboxRow.ReceivedAt)]
        );
        var outbox = new Table(db, typeof(OutboxRow));
        var (sequence, next) = (outbox[nameof(OutboxRow.SequenceNumber)], outbox[nameof(OutboxRow.NextAt)]);

        // Skips rows that another process is taking. SQLite has one writer at a time and needs no row locks.
        var skipLocked = Table.OnPostgres(db) ? " for update skip locked" : "";
        return new OutboxSql
        {
            Claim = $"insert into {inbox.Name} ({message}, {consumer}, {received}) values ({{0}}, {{1}}, {{2}}) on conflict do nothing",
            TakeDue =
                $"with due as materialized (select {sequence} from {outbox.Name} where {next} <= {{1}} "
                + $"order by {next} limit {{2}}{skipLocked}) "
                + $"update {outbox.Name} set {next} = {{0}} where {sequence} in (select {sequence} from due) returning {outbox.AllColumns}",
            RemoveOld =
                $"with old as materialized (select {message}, {consumer} from {inbox.Name} where {received} < {{0}} "
                + $"order by {received} limit {{1}}{skipLocked}) "
                + $"delete from {inbox.Name} where ({message}, {consumer}) in (select {message}, {consumer} from old)",
        };
    }
}
