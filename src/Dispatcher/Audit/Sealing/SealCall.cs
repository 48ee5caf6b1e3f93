using System.Data.Common;

namespace Dispatcher.Audit.Sealing;

/// <summary>The transaction in which statements run, and the kind of its database.</summary>
internal sealed record SealCall(DbTransaction Transaction, bool IsPostgres)
{
    public DbCommand Command(string sql, params (string Name, object Value)[] values)
    {
        var command = Transaction.Connection!.CreateCommand();
        command.Transaction = Transaction;
#pragma warning disable CA2100 // Constants of this file and names of parameters.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in values)
        {
            var parameter = command.CreateParameter();
            (parameter.ParameterName, parameter.Value) = (name, value);
            command.Parameters.Add(parameter);
        }

        return command;
    }

    /// <summary>A table expression with these columns, whose arrays have one length, and its parameters.</summary>
    public (string Table, (string Name, object Value)[] Values) Rows(string alias, params (string Name, Array Values)[] columns)
    {
        var names = string.Join(", ", columns.Select(column => column.Name));
        if (IsPostgres)
        {
            return (
                $"unnest({string.Join(", ", columns.Select(column => $"@{column.Name}"))}) as {alias} ({names})",
                [.. columns.Select(column => (column.Name, (object)column.Values))]
            );
        }

        var rows = Enumerable.Range(0, columns[0].Values.Length).ToList();
        var selects = rows.Select(i => $"select {string.Join(", ", columns.Select(column => $"@{column.Name}{i} as {column.Name}"))}");
        return (
            $"({string.Join(" union all ", selects)}) as {alias}",
            [.. rows.SelectMany(i => columns.Select(column => ($"{column.Name}{i}", column.Values.GetValue(i)!)))]
        );
    }

    public async Task<object?> ScalarAsync(string sql, CancellationToken cancellationToken)
    {
        await using var command = Command(sql);
        return await command.ExecuteScalarAsync(cancellationToken);
    }
}
