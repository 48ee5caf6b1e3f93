namespace Dispatcher.Storage.Migrations;

/// <summary>Replaces the type names of PostgreSQL with those of SQLite. An identity column becomes the integer primary key.</summary>
internal static class SqliteTypes
{
    public static string In(string sql) =>
        sql.Replace("bigint generated always as identity primary key", "integer primary key autoincrement", StringComparison.Ordinal)
            .Replace(" uuid", " text", StringComparison.Ordinal)
            .Replace(" bytea", " blob", StringComparison.Ordinal)
            .Replace(" bigint", " integer", StringComparison.Ordinal)
            .Replace(" boolean", " integer", StringComparison.Ordinal);
}
