using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using static Dispatcher.Storage.PostgresStatements;

namespace Dispatcher.Storage;

/// <summary>Adds and ends freezes in PostgreSQL, for <see cref="PostgresStore"/>.</summary>
internal static class PostgresFreezes
{
    /// <summary>
    /// Takes the lock of activations: a dispatch holds it shared until its commit. So every dispatch commits before this, or sees the
    /// change.
    /// </summary>
    public static async Task<FreezeChange?> ChangeAsync(
        IDbContextFactory<DispatcherDb> database,
        Func<IReadOnlyList<Freeze>, long, FreezeChange?> decide,
        CancellationToken cancellationToken
    )
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        await db.Database.ExecuteSqlRawAsync($"select pg_advisory_xact_lock({PolicyLock})", cancellationToken);
        var now = await db.Database.SqlQueryRaw<long>($"select {Now} as \"Value\"").SingleAsync(cancellationToken);
        var inForce = await db.Freezes.AsNoTracking().Where(Freeze.IsInForce(now)).ToListAsync(cancellationToken);
        if (decide(inForce, now) is not { } change)
        {
            return null;
        }

        await using var statements = new PostgresBatch((NpgsqlConnection)db.Database.GetDbConnection());
        var write = statements.Add();
        write.Text = change.Freeze.EndedAt is null
            ? $"insert into freezes ({Columns.Freeze.Names()}) select * from {write.Rows("i", Columns.Freeze, [change.Freeze])}"
            : $"""
                update freezes f set ended_at = i.ended_at, ended_by = i.ended_by, end_reason = i.end_reason
                from {write.Rows("i", Columns.Freeze, [change.Freeze])} where f.freeze_id = i.freeze_id
                """;
        Record(statements, [change.Entry], []);
        await statements.RunAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return change;
    }
}
