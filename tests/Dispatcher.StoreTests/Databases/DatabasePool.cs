using System.Collections.Concurrent;
using Npgsql;

namespace Dispatcher.StoreTests.Databases;

/// <summary>A database of one test. It must not be used after <c>GiveBack</c>.</summary>
internal sealed record PooledDatabase(string ConnectionString, Func<Task> GiveBack);

/// <summary>
/// Databases with the same tables. The first one is prepared, and the others are copies of it. A copy that comes back is emptied and used
/// again, which costs a fraction of another copy. A copy whose schema or rights a test changed is dropped.
/// </summary>
/// <param name="prepare">Makes the tables; gets a connection string without pooling, since a database in use cannot be copied.</param>
internal sealed class DatabasePool(Func<string, Task> prepare) : IAsyncDisposable
{
    /// <summary>Rows of the catalogs and the youngest change to each. Deleting rows changes none of them.</summary>
    private const string Schema = """
        select string_agg(t, ' ') from (
            select 'class ' || count(*) || ' ' || max(xmin::text::bigint) as t from pg_class
            union all select 'attribute ' || count(*) || ' ' || max(xmin::text::bigint) from pg_attribute
            union all select 'constraint ' || count(*) || ' ' || max(xmin::text::bigint) from pg_constraint
            union all select 'trigger ' || count(*) || ' ' || max(xmin::text::bigint) from pg_trigger
            union all select 'proc ' || count(*) || ' ' || max(xmin::text::bigint) from pg_proc
            union all select 'namespace ' || count(*) || ' ' || max(xmin::text::bigint) from pg_namespace
            union all select 'rewrite ' || count(*) || ' ' || max(xmin::text::bigint) from pg_rewrite
            union all select 'type ' || count(*) || ' ' || max(xmin::text::bigint) from pg_type
            union all select 'default ' || count(*) || ' ' || max(xmin::text::bigint) from pg_attrdef
            union all select 'rights ' || count(*) || ' ' || max(xmin::text::bigint) from pg_default_acl
            union all select 'settings ' || count(*) || ' ' || max(xmin::text::bigint) from pg_db_role_setting
                where setdatabase = (select oid from pg_database where datname = current_database())) catalogs
        """;

    /// <summary>Triggers keep rows of the timeline from being deleted; they do not fire for a replica.</summary>
    private const string Clean = """
        select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend';
        set session_replication_role = replica;
        do $$
        declare name regclass;
        begin
            for name in
                select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.relkind = 'r' and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
                    and c.relname <> '__EFMigrationsHistory'
            loop
                execute 'delete from ' || name;
            end loop;
            for name in select c.oid from pg_class c where c.relkind = 'S' loop
                perform setval(name, 1, false);
            end loop;
        end $$;
        """;

    private readonly Lazy<Task<Template>> _template = new(() => PrepareAsync(prepare));
    private readonly ConcurrentBag<string> _idle = [];

    public async Task<PooledDatabase> TakeAsync()
    {
        var template = await _template.Value;
        if (!_idle.TryTake(out var name))
        {
            name = PostgresDatabases.NewName();
            await PostgresDatabases.ExecuteAsync($"create database {name} template {template.Name}");
        }

        return new PooledDatabase(PostgresDatabases.ConnectionString(name), () => GiveBackAsync(name, template.Schema));
    }

    public async ValueTask DisposeAsync()
    {
        if (_template.IsValueCreated)
        {
            foreach (var name in _idle.Append((await _template.Value).Name))
            {
                await PostgresDatabases.DropAsync(name);
            }
        }
    }

    private async Task GiveBackAsync(string name, string schema)
    {
        // A pooled connection to this database would be handed to its next test after it was terminated here.
        NpgsqlConnection.ClearAllPools();
        if (await AskAsync(name, Schema) == schema)
        {
            await AskAsync(name, Clean);
            _idle.Add(name);
        }
        else
        {
            await PostgresDatabases.DropAsync(name);
        }
    }

    private static async Task<Template> PrepareAsync(Func<string, Task> prepare)
    {
        var name = PostgresDatabases.NewName();
        await PostgresDatabases.ExecuteAsync($"create database {name}");
        await prepare(Unpooled(name));
        return new Template(name, (await AskAsync(name, Schema))!);
    }

    private static string Unpooled(string name) => PostgresDatabases.ConnectionString(name) + ";Pooling=false";

    private static async Task<string?> AskAsync(string name, string sql)
    {
        await using var connection = new NpgsqlConnection(Unpooled(name));
        await connection.OpenAsync();
#pragma warning disable CA2100 // Constants.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        return await command.ExecuteScalarAsync() as string;
    }

    private sealed record Template(string Name, string Schema);
}
