using Dispatcher.Base;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static Dispatcher.Storage.PostgresStatements;

namespace Dispatcher.Storage;

/// <summary>Takes, deletes and defers outbox messages in PostgreSQL, for <see cref="PostgresStore"/>.</summary>
internal sealed class PostgresOutbox(NpgsqlDataSource source, IDbContextFactory<DispatcherDb> database)
{
    // The array is computed once. PostgreSQL may plan "in (select ... limit n)" so that the selection runs for each row, and takes more.
    public async Task<IReadOnlyList<OutboxMessage>> TakeAsync(int limit, TimeSpan postpone, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
#pragma warning disable EF1002 // The text has only constants and numbers.
        return await db
            .Outbox.FromSqlRaw(
                $"""
                update outbox set next_at = {Now} + {Timestamps.Micros(postpone)} where message_id = any(array(
                    select message_id from outbox where next_at <= {Now} and not parked
                    order by next_at limit {limit} for update skip locked))
                returning *
                """
            )
            .AsNoTracking()
            .ToListAsync(cancellationToken);
#pragma warning restore EF1002
    }

    public async Task DeleteAsync(IReadOnlyList<Guid> messageIds, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var statements = new PostgresBatch(connection);
        statements.Add().Text = "set local synchronous_commit = off";
        var delete = statements.Add();
        delete.Text = $"delete from outbox where message_id = any({delete.Value(messageIds.ToArray())})";
        await statements.RunAsync(cancellationToken);
    }

    public async Task DeferAsync(Guid messageId, string error, TimeSpan? pause, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var statements = new PostgresBatch(connection);
        var defer = statements.Add();
        defer.Text = $"""
            update outbox set attempts = attempts + 1, last_error = {defer.Value(error)}, parked = {defer.Value(pause is null)},
                next_at = {Now} + {defer.Value(Timestamps.Micros(pause ?? TimeSpan.Zero))}
            where message_id = {defer.Value(messageId)}
            """;
        await statements.RunAsync(cancellationToken);
    }
}
