namespace Dispatcher.Storage.Migrations;

/// <summary>SQLite takes the same tables under its own type names; an identity is its integer primary key.</summary>
internal static class SqliteTypes
{
    public static string In(string sql) =>
        sql.Replace("bigint generated always as identity primary key", "integer primary key autoincrement", StringComparison.Ordinal)
            .Replace(" uuid", " text", StringComparison.Ordinal)
            .Replace(" bytea", " blob", StringComparison.Ordinal)
            .Replace(" bigint", " integer", StringComparison.Ordinal)
            .Replace(" boolean", " integer", StringComparison.Ordinal);
}
