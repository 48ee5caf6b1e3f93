using Dispatcher.Storage.Rows;
using Microsoft.Data.Sqlite;
using static Dispatcher.Storage.SqliteStatements;

namespace Dispatcher.Storage;

/// <summary>Changes the bundle in force in SQLite, for <see cref="SqliteStore"/>.</summary>
internal static class SqliteActivation
{
    public static Activation? Run(SqliteTransaction transaction, Func<BundleInForce?, Activation?> decide)
    {
        var before = InForce(transaction);
        if (decide(before)?.After(before) is not { } activation)
        {
            return null;
        }

        using var activate = Command(
            transaction,
            $"""
            insert into bundles (hash, archive, first_activated_at)
            select $hash, $archive, {Now} where $archive is not null on conflict do nothing;
            insert into active_bundle (serial, hash, activated_at, actor, pinned) values ($serial, $hash, {Now}, $actor, $pinned)
            on conflict (only_row) do update set
                serial = excluded.serial, hash = excluded.hash, activated_at = excluded.activated_at,
                actor = excluded.actor, pinned = excluded.pinned;
            """
        );
        activate.Parameters.AddWithValue("$serial", activation.Serial);
        activate.Parameters.AddWithValue("$hash", activation.Hash);
        activate.Parameters.AddWithValue("$archive", (object?)activation.Archive?.ToArray() ?? DBNull.Value);
        activate.Parameters.AddWithValue("$actor", activation.Actor);
        activate.Parameters.AddWithValue("$pinned", activation.Pinned);
        activate.ExecuteNonQuery();
        Execute(transaction, InsertEntry, Columns.Entry, activation.Entry);
        ExecuteAll(transaction, InsertMessage, Columns.Outbox, activation.Outbox);
        return activation;
    }

    private static BundleInForce? InForce(SqliteTransaction transaction)
    {
        using var read = Command(transaction, "select serial, hash, activated_at, actor, pinned from active_bundle");
        using var row = read.ExecuteReader();
        return row.Read()
            ? new BundleInForce
            {
                Serial = row.GetInt64(0),
                Hash = row.GetString(1),
                ActivatedAt = row.GetInt64(2),
                Actor = row.GetString(3),
                Pinned = row.GetBoolean(4),
            }
            : null;
    }
}
