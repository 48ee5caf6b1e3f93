using System.Data.Common;

namespace Dispatcher.Worker.Effects;

/// <summary>Runs one statement on the effect store, with named parameters.</summary>
internal static class EffectSql
{
    public static async Task<int> ExecuteAsync(
        DbConnection connection,
        DbTransaction? transaction,
        string sql,
        (string Name, object Value)[] parameters,
        CancellationToken cancellationToken
    )
    {
        await using var command = Command(connection, transaction, sql, parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    public static DbCommand Command(
        DbConnection connection,
        DbTransaction? transaction,
        string sql,
        (string Name, object Value)[] parameters
    )
    {
        var command = connection.CreateCommand();
        command.Transaction = transaction;
#pragma warning disable CA2100 // Every text is a constant of this folder.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }

        return command;
    }
}
