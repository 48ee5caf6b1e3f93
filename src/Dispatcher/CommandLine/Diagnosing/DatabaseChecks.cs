using Dispatcher.Api;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Hosting;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Dispatcher.CommandLine.Diagnosing;

/// <summary>Checks of the PostgreSQL database: version, settings, role, tables and clock. They change nothing.</summary>
internal static class DatabaseChecks
{
    private const string Where = "DISPATCHER_POSTGRES (or --postgres)";

    /// <summary>The oldest version with which the tests run.</summary>
    private const int OldestVersion = 15;

    /// <summary>Without it a crash of the database loses committed jobs, on every storage.</summary>
    private const string Commits = "synchronous_commit";

    /// <summary>Settings without which a crash loses committed jobs. Some providers guarantee the last two otherwise.</summary>
    private static readonly string[] Durable = [Commits, "fsync", "full_page_writes"];

    public static async Task RunAsync(Diagnosis diagnosis, CancellationToken cancellationToken)
    {
        var postgres = diagnosis.Settings.Postgres!;
        var services = new ServiceCollection();
        services.AddPostgresStore(postgres);
        await using var provider = services.BuildServiceProvider();
        var database = provider.GetRequiredService<NpgsqlDataSource>();
        await diagnosis.ConnectedAsync(
            "database",
            new ConnectionSettings(postgres),
            "the database's version, settings, role, tables and clock: it cannot be used",
            async () =>
            {
                await CheckServerAsync(diagnosis, database, cancellationToken);
                await CheckClockAsync(diagnosis, provider.GetRequiredService<IStore>(), cancellationToken);
                await using var db = await provider
                    .GetRequiredService<IDbContextFactory<DispatcherDb>>()
                    .CreateDbContextAsync(cancellationToken);
                await CheckTablesAsync(diagnosis, database, db, cancellationToken);
            }
        );
    }

    private static async Task CheckServerAsync(Diagnosis diagnosis, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        if (connection.PostgreSqlVersion.Major < OldestVersion)
        {
            diagnosis.Warning(
                "database_version",
                Where,
                $"the server has version {connection.PostgreSqlVersion}",
                $"PostgreSQL {OldestVersion} or later, with which Dispatcher is tested",
                "Upgrade the database server."
            );
        }

        await using var command = new NpgsqlCommand("select name from pg_settings where name = any($1) and setting = 'off'", connection);
        command.Parameters.AddWithValue(Durable);
        await using var rows = await command.ExecuteReaderAsync(cancellationToken);
        while (await rows.ReadAsync(cancellationToken))
        {
            NoteSetting(diagnosis, rows.GetString(0));
        }
    }

    internal static void NoteSetting(Diagnosis diagnosis, string name)
    {
        const string code = "database_setting";
        var seen = $"{name} is off: a crash of the database loses committed jobs";
        var fix = $"Set {name} = on in postgresql.conf";
        if (name == Commits)
        {
            fix += ", and remove the setting from the role, the database and the connection (\\drds in psql lists them).";
            diagnosis.Error(code, name, seen, "on", fix);
        }
        else
        {
            diagnosis.Warning(code, name, $"{seen}, unless the storage of your provider guarantees it", "on", fix + ".");
        }
    }

    private static async Task CheckClockAsync(Diagnosis diagnosis, IStore store, CancellationToken cancellationToken)
    {
        using var clock = new StoreClock(store, diagnosis.Time, NullLogger<StoreClock>.Instance);
        await clock.OnceAsync(cancellationToken);
        if (clock.Offset.Duration() > AlertLimits.ClockOffset)
        {
            const string allowed = "less than 1 s; above 2 s the server decides nothing";
            var seen =
                $"{clock.Offset.Duration().TotalSeconds:F1} s {(clock.Offset < TimeSpan.Zero ? "ahead of" : "behind")} the database's";
            const string fix = "Repair the time synchronization of both machines: timedatectl, chronyc tracking.";
            if (clock.IsTrusted)
            {
                diagnosis.Warning("clock", "this machine's clock", seen, allowed, fix);
            }
            else
            {
                diagnosis.Error("clock", "this machine's clock", seen, allowed, fix);
            }
        }
    }

    private static async Task CheckTablesAsync(
        Diagnosis diagnosis,
        NpgsqlDataSource database,
        DispatcherDb db,
        CancellationToken cancellationToken
    )
    {
        var role = await RoleAsync(database, cancellationToken);
        if (!await CanReadHistoryAsync(database, cancellationToken))
        {
            diagnosis.Error(
                "role_lacks_rights",
                $"role {role}",
                "it may not read which migrations the database has",
                "the rights that serving needs",
                $"dispatcher migrate --serve-role {role}, as the owner of the tables"
            );
            diagnosis.Skip("the tables and the rights of the role: the role may not read the history of migrations");
            return;
        }

        var missing = diagnosis.Settings.Migrate ? [] : await Migrator.MissingInExistingAsync(db, cancellationToken);
        if (missing.Count > 0)
        {
            diagnosis.Error(
                "tables_behind",
                Where,
                $"the database lacks {string.Join(", ", missing)}",
                "every migration of this version",
                "dispatcher migrate, as the owner of the tables"
            );
        }

        CheckNewer(diagnosis, await Migrator.NewerAsync(db, cancellationToken));
        if (missing.Count > 0)
        {
            diagnosis.Skip("the rights of the role: the tables are not those of this version");
            return;
        }

        await CheckRightsAsync(diagnosis, database, role, cancellationToken);
    }

    /// <summary>A server starts on a database with one later migration, and refuses more.</summary>
    private static void CheckNewer(Diagnosis diagnosis, IReadOnlyList<string> newer)
    {
        if (newer.Count == 0)
        {
            return;
        }

        const string code = "tables_ahead";
        var seen = $"the database has {string.Join(", ", newer)}, which this version does not know";
        if (newer.Count > StoreStart.MaxNewer)
        {
            diagnosis.Error(code, Where, seen, "at most one migration of a later version", "Run the version that migrated the database.");
        }
        else
        {
            diagnosis.Warning(
                code,
                Where,
                seen,
                "the migrations of this version",
                "Run the version that migrated the database; this one is older."
            );
        }
    }

    private static async Task CheckRightsAsync(
        Diagnosis diagnosis,
        NpgsqlDataSource database,
        string role,
        CancellationToken cancellationToken
    )
    {
        var lacking = await ServeGrants.LackingAsync(database, cancellationToken);
        if (lacking.Count > 0)
        {
            diagnosis.Error(
                "role_lacks_rights",
                $"role {role}",
                $"it lacks {string.Join(", ", lacking.Take(5))}{(lacking.Count > 5 ? $" and {lacking.Count - 5} more" : "")}",
                "the rights that serving needs",
                $"dispatcher migrate --serve-role {role}, as the owner of the tables"
            );
        }

        var known = (await RoleRights.ReadAsync(database, [role], cancellationToken)).FirstOrDefault(one => one.Name == role);
        if (known is { Excess: { Count: > 0 } excess } && !diagnosis.Settings.Migrate)
        {
            diagnosis.Error(
                "role_beyond_need",
                $"role {role}",
                $"it has more rights than a server needs, and could change the history: {string.Join(", ", excess)}",
                "the rights of \"migrate --serve-role\"",
                excess.Any(right => right is RoleRights.Superuser or RoleRights.Ownership)
                    ? "dispatcher identity create NAME --kind server, and set DISPATCHER_POSTGRES_FILE to the file that it writes"
                    : known.ExcessFix
            );
        }
    }

    private static async Task<string> RoleAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("select current_user::text");
        return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
    }

    /// <summary>True also if the table does not exist.</summary>
    private static async Task<bool> CanReadHistoryAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            select coalesce(bool_and(has_table_privilege(c.oid, 'select')), true)
            from pg_class c where c.oid = to_regclass('"__EFMigrationsHistory"')
            """
        );
        return (bool)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
