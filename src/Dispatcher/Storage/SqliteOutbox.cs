using Dispatcher.Base;
using Dispatcher.Jobs;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using static Dispatcher.Storage.SqliteStatements;

namespace Dispatcher.Storage;

/// <summary>Takes, deletes and defers outbox messages in SQLite, for <see cref="SqliteStore"/>.</summary>
internal static class SqliteOutbox
{
    public static async Task<IReadOnlyList<OutboxMessage>> TakeAsync(
        DispatcherDb db,
        int limit,
        TimeSpan postpone,
        CancellationToken cancellationToken
    )
    {
#pragma warning disable EF1002 // The text has only constants and numbers.
        return await db
            .Outbox.FromSqlRaw(
                $"""
                update outbox set next_at = {Now} + {Timestamps.Micros(postpone)}
                where message_id in (
                    select message_id from outbox where next_at <= {Now} and not parked order by next_at limit {limit})
                returning *
                """
            )
            .AsNoTracking()
            .ToListAsync(cancellationToken);
#pragma warning restore EF1002
    }

    public static int Delete(SqliteTransaction transaction, IReadOnlyList<Guid> messageIds)
    {
        using var delete = Command(transaction, "delete from outbox where message_id = $message_id");
        var parameter = delete.Parameters.Add("$message_id", SqliteType.Text);
        foreach (var messageId in messageIds)
        {
            parameter.Value = messageId;
            delete.ExecuteNonQuery();
        }

        return messageIds.Count;
    }

    public static int Defer(SqliteTransaction transaction, Guid messageId, string error, TimeSpan? pause)
    {
        using var defer = Command(
            transaction,
            $"""
            update outbox set attempts = attempts + 1, last_error = $error, parked = $parked,
                next_at = {Now} + {Timestamps.Micros(pause ?? TimeSpan.Zero)}
            where message_id = $message_id
            """
        );
        defer.Parameters.AddWithValue("$message_id", messageId);
        defer.Parameters.AddWithValue("$error", error);
        defer.Parameters.AddWithValue("$parked", pause is null);
        return defer.ExecuteNonQuery();
    }
}
