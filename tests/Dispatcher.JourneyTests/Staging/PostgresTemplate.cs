using Dispatcher.JourneyTests.Staging;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresTemplate))]

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Databases of journeys. One is migrated in a run and copied for each journey, which costs much less than migrating.</summary>
public sealed class PostgresTemplate : IAsyncDisposable
{
    /// <summary>The names of all databases of this run start with it.</summary>
    internal static readonly string Prefix = $"journey_{Environment.ProcessId}_";

    private static readonly string Name = Prefix + "template";

    /// <summary>The role that dispatchers serve as: it has what <c>migrate --serve-role</c> grants, and nothing else.</summary>
    internal static readonly string ServeRole = Prefix + "serve";

    private readonly Lazy<Task> _made = new(MakeAsync);

    /// <summary>With the tables of the program and of the journey worker.</summary>
    internal async Task CopyAsync(string name)
    {
        await _made.Value;
        await ExecuteAsync($"create database \"{name}\" template {Name}");
    }

    /// <summary>With those of the journey worker alone.</summary>
    internal static async Task EmptyAsync(string name)
    {
        await ExecuteAsync($"create database \"{name}\"");
        await using var database = NpgsqlDataSource.Create(Unpooled(name));
        await new Records(database).CreateAsync();
    }

    internal static Task DropAsync(string name) => ExecuteAsync($"drop database if exists \"{name}\" with (force)");

    /// <summary>A copy of a database, as a backup is one: its state at this moment. No program may use it meanwhile.</summary>
    internal static async Task BackUpAsync(string name, string copy)
    {
        await ExecuteAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        await ExecuteAsync($"create database \"{copy}\" template \"{name}\"");
    }

    /// <summary>The database has the state of its copy again.</summary>
    internal static async Task RestoreAsync(string name, string copy)
    {
        await DropAsync(name);
        await ExecuteAsync($"alter database \"{copy}\" rename to \"{name}\"");
    }

    /// <summary>
    /// Also drops the databases of journeys whose end failed. The role has rights in them, and PostgreSQL would refuse to drop it.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        if (_made.IsValueCreated)
        {
            foreach (var name in await DatabasesAsync())
            {
                await DropAsync(name);
            }

            await ExecuteAsync($"drop role {ServeRole}");
        }
    }

    private static async Task<IReadOnlyList<string>> DatabasesAsync()
    {
        await using var connection = NpgsqlDataSource.Create(Unpooled("postgres"));
        await using var command = connection.CreateCommand("select datname from pg_database where starts_with(datname, $1)");
        command.Parameters.AddWithValue(Prefix);
        await using var rows = await command.ExecuteReaderAsync(CancellationToken.None);
        var names = new List<string>();
        while (await rows.ReadAsync(CancellationToken.None))
        {
            names.Add(rows.GetString(0));
        }

        return names;
    }

    private static async Task MakeAsync()
    {
        await EmptyAsync(Name);
        var registration = new ServiceCollection();
        registration.AddPostgresStore(Unpooled(Name));
        await using var services = registration.BuildServiceProvider();
        await using var db = await services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync();
        await Migrator.MigrateAsync(db, CancellationToken.None);
        await ExecuteAsync($"create role {ServeRole} login");
        await Migrator.GrantAsync(db, ServeRole, CancellationToken.None);
    }

    /// <summary>
    /// A database with an open connection cannot be copied, and journeys that restart the server leave dead connections behind.
    /// </summary>
    private static string Unpooled(string database) => $"{Servers.Postgres(database)};Pooling=false";

    private static async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(Unpooled("postgres"));
        await connection.OpenAsync(CancellationToken.None);
#pragma warning disable CA2100 // Texts of the journeys.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(CancellationToken.None);
    }
}
