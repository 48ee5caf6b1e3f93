using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static Dispatcher.Storage.PostgresStatements;

namespace Dispatcher.Storage;

/// <summary>Changes the bundle in force in PostgreSQL, for <see cref="PostgresStore"/>.</summary>
internal static class PostgresActivation
{
    public static async Task<Activation?> RunAsync(
        IDbContextFactory<DispatcherDb> database,
        Func<BundleInForce?, Activation?> decide,
        CancellationToken cancellationToken
    )
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlRawAsync($"select pg_advisory_xact_lock({PolicyLock})", cancellationToken);
        var before = await db.ActiveBundle.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        if (decide(before)?.After(before) is not { } activation)
        {
            return null;
        }

        await using var statements = new PostgresBatch((NpgsqlConnection)db.Database.GetDbConnection());
        if (activation.Archive is { } archive)
        {
            var keep = statements.Add();
            keep.Text = $"""
                insert into bundles (hash, archive, first_activated_at)
                values ({keep.Value(activation.Hash)}, {keep.Value(archive.ToArray())}, {Now}) on conflict do nothing
                """;
        }

        var activate = statements.Add();
        activate.Text = $"""
            insert into active_bundle (serial, hash, activated_at, actor, pinned)
            values ({activate.Value(activation.Serial)}, {activate.Value(activation.Hash)}, {Now},
                {activate.Value(activation.Actor)}, {activate.Value(activation.Pinned)})
            on conflict (only_row) do update set
                serial = excluded.serial, hash = excluded.hash, activated_at = excluded.activated_at,
                actor = excluded.actor, pinned = excluded.pinned
            """;
        Record(statements, [activation.Entry], activation.Outbox);
        await statements.RunAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return activation;
    }
}
