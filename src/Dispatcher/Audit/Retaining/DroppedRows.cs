using Dispatcher.Audit.Sealing;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Npgsql;

namespace Dispatcher.Audit.Retaining;

/// <summary>Writes the statement of a retention, and deletes rows, in short transactions. PostgreSQL only.</summary>
/// <param name="database">The database, as the owner of the tables.</param>
/// <param name="page">Number of seals whose jobs are deleted in one transaction.</param>
internal sealed class DroppedRows(NpgsqlDataSource database, int page)
{
    private static readonly string[] DeleteJobs =
    [
        "delete from approvals where job_id = any(@ids)",
        "delete from dead_letters where job_id = any(@ids) or dead_letter_id = any(@ids)",
        "delete from denials where job_id = any(@ids)",
        "delete from jobs where job_id = any(@ids)",
        "delete from timeline where job_id = any(@ids)",
        "delete from timeline_seals where job_id = any(@ids)",
    ];

    /// <summary>Why the role may not delete. Null: it owns the tables.</summary>
    public async Task<string?> WhyNotAllowedAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "select current_user, pg_has_role(current_user, c.relowner, 'usage') from pg_class c where c.oid = 'timeline'::regclass"
        );
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        await row.ReadAsync(cancellationToken);
        return row.GetBoolean(1) ? null : $"role {row.GetString(0)} does not own the tables";
    }

    /// <summary>Keeps other retentions out until the result is disposed. Null: another one runs.</summary>
    public async Task<IAsyncDisposable?> TryLockAsync(CancellationToken cancellationToken)
    {
        // The lock ends with the transaction, and the transaction with the process.
        var connection = await database.OpenConnectionAsync(cancellationToken);
        await connection.BeginTransactionAsync(cancellationToken);
        await using var command = new NpgsqlCommand("select pg_try_advisory_xact_lock(4711005)", connection);
        if ((bool)(await command.ExecuteScalarAsync(cancellationToken))!)
        {
            return connection;
        }

        await connection.DisposeAsync();
        return null;
    }

    /// <summary>Writes the closing checkpoint and the entry with the statement.</summary>
    public async Task WriteAsync(TimelineCheckpoint checkpoint, Retention retention, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var close = new NpgsqlCommand(
            """
            insert into timeline_checkpoints (size, key_id, origin, root, head, at, signature, frontier)
            values (@size, @key_id, @origin, @root, @head, @at, @signature, @frontier) on conflict (size, key_id) do nothing
            """,
            connection,
            transaction
        );
        close.Parameters.AddWithValue("size", checkpoint.Size);
        close.Parameters.AddWithValue("key_id", checkpoint.KeyId);
        close.Parameters.AddWithValue("origin", checkpoint.Origin);
        close.Parameters.AddWithValue("root", checkpoint.Root);
        close.Parameters.AddWithValue("head", checkpoint.Head);
        close.Parameters.AddWithValue("at", checkpoint.At);
        close.Parameters.AddWithValue("signature", checkpoint.Signature);
        close.Parameters.AddWithValue("frontier", checkpoint.Frontier);
        await close.ExecuteNonQueryAsync(cancellationToken);
        await using var state = new NpgsqlCommand(
            $"""
            insert into timeline (job_id, at, kind, attempt, actor, detail)
            values (@job_id, {PostgresStatements.Now}, @kind, 0, @actor, @detail)
            """,
            connection,
            transaction
        );
        state.Parameters.AddWithValue("job_id", Guid.Empty);
        state.Parameters.AddWithValue("kind", TimelineKinds.Retained);
        state.Parameters.AddWithValue("actor", TimelineEntry.SystemActor);
        state.Parameters.AddWithValue("detail", retention.Write());
        await state.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>Whether the entry with this statement is sealed.</summary>
    public async Task<bool> IsSealedAsync(Retention retention, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            select t.detail from timeline t join timeline_seals s on s.entry_id = t.entry_id where t.job_id = @job_id and t.kind = @kind
            """
        );
        command.Parameters.AddWithValue("job_id", Guid.Empty);
        command.Parameters.AddWithValue("kind", TimelineKinds.Retained);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            if (Retention.Read(row.GetFieldValue<byte[]>(0))?.Signature.AsSpan().SequenceEqual(retention.Signature) == true)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Deletes the jobs among the next seals after <paramref name="after"/>. Returns the last seal that it looked at, or null at the end,
    /// and the number of deleted entries.
    /// </summary>
    public async Task<(long? Last, long Entries)> DeleteAsync(long size, long after, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        var (last, jobs) = await NextAsync(transaction, size, after, cancellationToken);
        if (last is null)
        {
            return (null, 0);
        }

        // A sealer that runs at the same time could link a new entry to a seal that is deleted here. Sealers do not wait: they try again
        // a second later. The rows are locked before they are read, so that a replay of a dead letter is either seen or finds no job.
        await using (var locks = Command(transaction, "select pg_advisory_xact_lock(4711003)", size, jobs))
        {
            await locks.ExecuteNonQueryAsync(cancellationToken);
        }

        await using (var rows = Command(transaction, "select 1 from jobs where job_id = any(@ids) order by job_id for update", size, jobs))
        {
            await rows.ExecuteNonQueryAsync(cancellationToken);
        }

        var ids = await DroppableAsync(transaction, size, jobs, cancellationToken);
        await using (var allow = Command(transaction, "set local dispatcher.retain = 'on'", size, ids))
        {
            await allow.ExecuteNonQueryAsync(cancellationToken);
        }

        var entries = 0L;
        foreach (var sql in DeleteJobs)
        {
            await using var delete = Command(transaction, sql, size, ids);
            entries = await delete.ExecuteNonQueryAsync(cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        return (last, entries);
    }

    private async Task<(long? Last, Guid[] Jobs)> NextAsync(
        NpgsqlTransaction transaction,
        long size,
        long after,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(
            transaction,
            "select seq, job_id from timeline_seals where seq > @after and seq <= @size order by seq limit @page",
            size,
            []
        );
        command.Parameters.AddWithValue("after", after);
        command.Parameters.AddWithValue("page", page);
        var (last, jobs) = ((long?)null, new HashSet<Guid>());
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            last = row.GetInt64(0);
            jobs.Add(row.GetGuid(1));
        }

        return (last, [.. jobs]);
    }

    private static async Task<Guid[]> DroppableAsync(
        NpgsqlTransaction transaction,
        long size,
        Guid[] jobs,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(
            transaction,
            $"select x.id from unnest(@ids) x (id) where {DroppableJobs.Condition("x.id")}",
            size,
            jobs
        );
        var ids = new List<Guid>();
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        while (await row.ReadAsync(cancellationToken))
        {
            ids.Add(row.GetGuid(0));
        }

        return [.. ids];
    }

    private static NpgsqlCommand Command(NpgsqlTransaction transaction, string sql, long size, Guid[] ids)
    {
#pragma warning disable CA2100 // Constants of this folder.
        var command = new NpgsqlCommand(sql, transaction.Connection, transaction);
#pragma warning restore CA2100
        foreach (var (name, value) in new (string, object)[] { ("size", size), ("ids", ids) })
        {
            if (sql.Contains('@' + name, StringComparison.Ordinal))
            {
                command.Parameters.AddWithValue(name, value);
            }
        }

        return command;
    }
}
