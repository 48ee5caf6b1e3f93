using System.Data.Common;

namespace Dispatcher.Worker.Effects;

/// <summary>A statement on the effect store, with named parameters.</summary>
internal sealed record EffectStatement(string Sql, params (string Name, object Value)[] Parameters);

/// <summary>
/// Runs statements on the effect store. PostgreSQL gets several in one round trip, because an effect costs little beside them. SQLite has
/// no batches.
/// </summary>
internal static class EffectSql
{
    public static async Task<int> ExecuteAsync(
        DbConnection connection,
        DbTransaction? transaction,
        EffectStatement statement,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(connection, transaction, statement);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Runs queries in order. Returns the first row of each; null: it has none.</summary>
    public static async Task<IReadOnlyList<object[]?>> QueryAsync(
        DbTransaction transaction,
        IReadOnlyList<EffectStatement> queries,
        CancellationToken cancellationToken
    )
    {
        var connection = transaction.Connection!;
        List<object[]?> rows = [];
        if (connection.CanCreateBatch)
        {
            await using var batch = Batch(transaction, queries);
            await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
            do
            {
                rows.Add(await RowAsync(reader, cancellationToken));
            } while (await reader.NextResultAsync(cancellationToken));
            return rows;
        }

        foreach (var query in queries)
        {
            await using var command = Command(connection, transaction, query);
            await using var reader = await command.ExecuteReaderAsync(cancellationToken);
            rows.Add(await RowAsync(reader, cancellationToken));
        }

        return rows;
    }

    /// <summary>Runs a statement and commits. Returns the number of its rows; the commit follows also after none.</summary>
    public static async Task<int> CommitAsync(DbTransaction transaction, EffectStatement last, CancellationToken cancellationToken)
    {
        if (transaction.Connection!.CanCreateBatch)
        {
            // After an error of the first, PostgreSQL skips the commit.
            await using var batch = Batch(transaction, [last, new EffectStatement("commit")]);
            await batch.ExecuteNonQueryAsync(cancellationToken);
            return batch.BatchCommands[0].RecordsAffected;
        }

        var rows = await ExecuteAsync(transaction.Connection, transaction, last, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return rows;
    }

    private static async Task<object[]?> RowAsync(DbDataReader reader, CancellationToken cancellationToken)
    {
        if (!await reader.ReadAsync(cancellationToken))
        {
            return null;
        }

        var row = new object[reader.FieldCount];
        reader.GetValues(row);
        return row;
    }

#pragma warning disable CA2100 // Every text is a constant of this folder.
    private static DbCommand Command(DbConnection connection, DbTransaction? transaction, EffectStatement statement)
    {
        var command = connection.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, statement.Sql);
        AddParameters(command.Parameters, command.CreateParameter, statement);
        return command;
    }

    private static DbBatch Batch(DbTransaction transaction, IReadOnlyList<EffectStatement> statements)
    {
        var batch = transaction.Connection!.CreateBatch();
        batch.Transaction = transaction;
        foreach (var statement in statements)
        {
            var command = batch.CreateBatchCommand();
            command.CommandText = statement.Sql;
            AddParameters(command.Parameters, command.CreateParameter, statement);
            batch.BatchCommands.Add(command);
        }

        return batch;
    }
#pragma warning restore CA2100

    private static void AddParameters(DbParameterCollection parameters, Func<DbParameter> create, EffectStatement statement)
    {
        foreach (var (name, value) in statement.Parameters)
        {
            var parameter = create();
            (parameter.ParameterName, parameter.Value) = (name, value);
            parameters.Add(parameter);
        }
    }
}
