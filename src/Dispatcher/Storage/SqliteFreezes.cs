using Dispatcher.Storage.Rows;
using Microsoft.Data.Sqlite;
using static Dispatcher.Storage.SqliteStatements;

namespace Dispatcher.Storage;

/// <summary>Adds and ends freezes in SQLite, for <see cref="SqliteStore"/>.</summary>
internal static class SqliteFreezes
{
    private static readonly string Insert = $"insert into freezes ({Columns.Freeze.Names()}) values ({Columns.Freeze.Names("$")})";

    private const string End = """
        update freezes set ended_at = $ended_at, ended_by = $ended_by, end_reason = $end_reason where freeze_id = $freeze_id
        """;

    public static FreezeChange? Change(SqliteTransaction transaction, Func<IReadOnlyList<Freeze>, long, FreezeChange?> decide)
    {
        using var clock = Command(transaction, $"select {Now}");
        var now = (long)clock.ExecuteScalar()!;
        if (decide(InForce(transaction, now), now) is not { } change)
        {
            return null;
        }

        Execute(transaction, change.Freeze.EndedAt is null ? Insert : End, Columns.Freeze, change.Freeze);
        Execute(transaction, InsertEntry, Columns.Entry, change.Entry);
        return change;
    }

    private static List<Freeze> InForce(SqliteTransaction transaction, long now)
    {
        using var read = Command(
            transaction,
            "select freeze_id, kind, target, reason, actor, since, until from freezes where ended_at is null and until > $now"
        );
        read.Parameters.AddWithValue("$now", now);
        using var row = read.ExecuteReader();
        var inForce = new List<Freeze>();
        while (row.Read())
        {
            inForce.Add(
                new Freeze
                {
                    FreezeId = row.GetGuid(0),
                    Kind = row.GetString(1),
                    Target = row.GetString(2),
                    Reason = row.GetString(3),
                    Actor = row.GetString(4),
                    Since = row.GetInt64(5),
                    Until = row.GetInt64(6),
                }
            );
        }

        return inForce;
    }
}
