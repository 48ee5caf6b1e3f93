using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Worker.Effects;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace Dispatcher.CommandLine.Identities;

/// <summary>How far a database role was removed.</summary>
internal enum RoleRemoval
{
    /// <summary>It does not exist.</summary>
    Missing,

    /// <summary>It is dropped, and its sessions have ended.</summary>
    Dropped,

    /// <summary>
    /// It cannot log in, and its sessions have ended. PostgreSQL keeps it, because it owns something or has rights in another database.
    /// </summary>
    Locked,
}

/// <summary>
/// The database roles of identities, made as the owner of the tables. Names are checked before they become part of a statement, because DDL
/// takes no parameters.
/// </summary>
internal sealed class IdentityRoles : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly string _connection;

    /// <param name="connection">An Npgsql connection string of the owner of the tables, who may create roles.</param>
    public IdentityRoles(string connection)
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(connection);
        (_services, _connection) = (services.BuildServiceProvider(), connection);
    }

    /// <summary>The schema of the effects of a pool.</summary>
    public static string EffectSchema(string pool) => "effects_" + pool;

    public NpgsqlDataSource Database => _services.GetRequiredService<NpgsqlDataSource>();

    /// <summary>The connection string of a role on the same database. Not null schema: its tables are found there.</summary>
    public string ConnectionOf(string role, string password, string? schema)
    {
        var to = new NpgsqlConnectionStringBuilder(_connection) { Username = role, Password = password };
        foreach (var ownersOwn in (string[])["Passfile", "SSL Certificate", "SSL Key", "SSL Password"])
        {
            to.Remove(ownersOwn);
        }

        if (schema is not null)
        {
            to.SearchPath = $"\"{schema}\"";
        }

        return to.ConnectionString;
    }

    /// <summary>Throws unless the tables of this version exist.</summary>
    public async Task CheckMigratedAsync(CancellationToken cancellationToken)
    {
        await using var db = await ContextAsync(cancellationToken);
        if (await Migrator.MissingInExistingAsync(db, cancellationToken) is { Count: > 0 } missing)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The database lacks {string.Join(", ", missing)}.",
                "Run \"dispatcher migrate\" as the owner of the tables first."
            );
        }
    }

    public async Task<bool> ExistsAsync(string role, CancellationToken cancellationToken)
    {
        await using var command = Database.CreateCommand("select 1 from pg_roles where rolname = $1");
        command.Parameters.AddWithValue(role);
        return await command.ExecuteScalarAsync(cancellationToken) is not null;
    }

    /// <summary>Makes a role with the rights of <c>migrate --serve-role</c>, or nothing.</summary>
    public async Task CreateServerAsync(string role, string password, CancellationToken cancellationToken)
    {
        await using var db = await ContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
#pragma warning disable EF1002, EF1003 // The form of the name was checked.
        await db.Database.ExecuteSqlRawAsync(Create(role, password), cancellationToken);
#pragma warning restore EF1002, EF1003
        await Migrator.GrantAsync(db, role, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>
    /// Makes a role that can only read and write the effects of a pool, and the schema with their tables if it is missing. The schema
    /// belongs to the caller, so that the role cannot change its tables.
    /// </summary>
    public async Task CreateEffectsAsync(string role, string password, string pool, CancellationToken cancellationToken)
    {
        var (schema, create) = (Checked(EffectSchema(pool)), Create(role, password));
        await ExecuteAsync($"create schema if not exists \"{schema}\"", cancellationToken);
        var there = new NpgsqlConnectionStringBuilder(_connection) { SearchPath = $"\"{schema}\"" };
        using (var store = PoolEffectStore.Open(there.ConnectionString, TimeProvider.System, NullLogger.Instance))
        {
            await store.CreateSchemaAsync(cancellationToken);
        }

        // One text is one transaction.
        await ExecuteAsync(
            $"""
            {create}
            do $$ begin execute format('revoke create on schema %I from public', current_schema()); end $$;
            grant usage on schema "{schema}" to "{role}";
            grant select, insert, update, delete on all tables in schema "{schema}" to "{role}";
            """,
            cancellationToken
        );
    }

    /// <summary>
    /// Locks the role, takes its rights, ends its sessions and drops it. Never drops anything that the role owns. Refuses the role of the
    /// caller, the owner of the tables and the superuser of initdb.
    /// </summary>
    public async Task<RoleRemoval> RemoveAsync(string role, CancellationToken cancellationToken)
    {
        if (!Migrator.IsRoleName(role) || !await ExistsAsync(role, cancellationToken))
        {
            return RoleRemoval.Missing;
        }

        await CheckIsNoOwnerAsync(role, cancellationToken);
        await ExecuteAsync($"alter role \"{role}\" nologin", cancellationToken);
        try
        {
            // Not "drop owned": it would also drop tables of the role.
            await ExecuteAsync(
                $"""
                do $$ declare s name; begin
                    for s in select nspname from pg_namespace where nspname = current_schema() or starts_with(nspname, 'effects_') loop
                        execute format('revoke all on all tables in schema %I from "{role}"', s);
                        execute format('revoke all on all functions in schema %I from "{role}"', s);
                        execute format('revoke all on schema %I from "{role}"', s);
                    end loop;
                end $$;
                """,
                cancellationToken
            );
            await EndSessionsAsync(role, cancellationToken);
            await ExecuteAsync($"drop role \"{role}\"", cancellationToken);
            return RoleRemoval.Dropped;
        }
        catch (PostgresException kept) when (kept.SqlState is PostgresErrorCodes.DependentObjectsStillExist)
        {
            return RoleRemoval.Locked;
        }
    }

    public ValueTask DisposeAsync() => _services.DisposeAsync();

    /// <summary>The bootstrap superuser, which PostgreSQL cannot do without, has the oid 10.</summary>
    private async Task CheckIsNoOwnerAsync(string role, CancellationToken cancellationToken)
    {
        await using var command = Database.CreateCommand(
            """
            select oid = 10 or rolname = current_user or exists (
                select from pg_tables where schemaname = current_schema() and tablename = 'jobs' and tableowner = rolname)
            from pg_roles where rolname = $1
            """
        );
        command.Parameters.AddWithValue(role);
        if (await command.ExecuteScalarAsync(cancellationToken) is true)
        {
            throw new ExitException(
                ExitCode.No,
                $"The database role {role} was not changed: it owns the tables, or is the user of DISPATCHER_POSTGRES or the superuser "
                    + "of initdb.",
                "Revoke it with the tools of PostgreSQL, after another role owns the tables."
            );
        }
    }

    /// <summary>The rights are gone before, so a session that cannot be ended can do nothing more with the tables.</summary>
    private async Task EndSessionsAsync(string role, CancellationToken cancellationToken)
    {
        try
        {
            await using var end = Database.CreateCommand("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1");
            end.Parameters.AddWithValue(role);
            await end.ExecuteNonQueryAsync(cancellationToken);
        }
        catch (PostgresException refused) when (refused.SqlState is PostgresErrorCodes.InsufficientPrivilege)
        {
            throw new ExitException(
                ExitCode.No,
                $"The database role {role} is locked and has no rights any more, but its open sessions could not be ended.",
                "Grant pg_signal_backend to the user of DISPATCHER_POSTGRES, and run the command again.",
                refused
            );
        }
    }

    private static string Create(string role, string password) =>
        $"create role \"{Checked(role)}\" login nosuperuser nocreatedb nocreaterole noreplication nobypassrls "
        + $"password '{GeneratedSecret.PostgresVerifier(password)}';";

    private static string Checked(string name) =>
        Migrator.IsRoleName(name)
            ? name
            : throw new ArgumentException($"\"{name}\" is not a name; allowed are {Migrator.RoleNameWords}.", nameof(name));

    private Task<DispatcherDb> ContextAsync(CancellationToken cancellationToken) =>
        _services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync(cancellationToken);

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
#pragma warning disable CA2100 // Names in the text were checked.
        await using var command = Database.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
