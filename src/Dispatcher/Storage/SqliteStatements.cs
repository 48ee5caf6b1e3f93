using Dispatcher.Base;
using Dispatcher.Jobs;
using Microsoft.Data.Sqlite;

namespace Dispatcher.Storage;

/// <summary>Parts of the statements of <see cref="SqliteStore"/>, and the methods that run a statement for each row.</summary>
internal static class SqliteStatements
{
    /// <summary>The database's clock, microseconds since 1970.</summary>
    public const string Now = "cast(unixepoch('subsec') * 1000000 as integer)";

    /// <summary>Hash of the bundle in force; empty if there is none.</summary>
    public const string ActiveHash = "coalesce((select hash from active_bundle), '')";

    public static readonly string InsertEntry =
        $"insert into timeline ({Columns.Entry.Names()}, at) values ({Columns.Entry.Names("$")}, {Now})";

    public static readonly string InsertMessage = $"""
        insert into outbox ({Columns.Outbox.Names()}, attempts, parked, next_at)
        values ({Columns.Outbox.Names("$")}, 0, 0, {Now} + {Timestamps.Micros(OutboxMessage.RelayHeadStart)})
        """;

    /// <summary>The expression for a text in the detail of a timeline entry. Null: there is none, or the detail is not JSON.</summary>
    public static string TextOf(string entry, string[] path)
    {
        var text = $"cast({entry}.detail as text)";
        return $"case when json_valid({text}) then cast(json_extract({text}, '$.{string.Join('.', path)}') as text) end";
    }

    /// <summary>Runs the statement for each row.</summary>
    public static void ExecuteAll<TRow>(
        SqliteTransaction transaction,
        string sql,
        IReadOnlyList<Column<TRow>> columns,
        IEnumerable<TRow> rows
    )
    {
        foreach (var row in rows)
        {
            Execute(transaction, sql, columns, row);
        }
    }

    /// <summary>Runs the statement for one row; returns the number of rows that it changed.</summary>
    public static int Execute<TRow>(SqliteTransaction transaction, string sql, IReadOnlyList<Column<TRow>> columns, TRow row)
    {
        using var command = Command(transaction, sql);
        Bind(command, columns, row);
        return command.ExecuteNonQuery();
    }

    public static void Bind<TRow>(SqliteCommand command, IReadOnlyList<Column<TRow>> columns, TRow row)
    {
        foreach (var column in columns)
        {
            command.Parameters.AddWithValue("$" + column.Name, column.Value(row) ?? DBNull.Value);
        }
    }

#pragma warning disable CA2100 // The texts are constants of this folder.
    public static SqliteCommand Command(SqliteTransaction transaction, string sql) => new(sql, transaction.Connection, transaction);
#pragma warning restore CA2100
}
