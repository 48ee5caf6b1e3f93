using Dispatcher.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Dispatcher.StoreTests.Databases;

/// <summary>A migrated database of one test, with the store as the program registers it. It is dropped after the test.</summary>
internal sealed class TestDatabase : IAsyncDisposable
{
    /// <summary>The file of a migrated database. It is migrated once in a run, and each test has a copy.</summary>
    private static readonly Lazy<Task<byte[]>> MigratedSqlite = new(MigrateSqliteAsync);

    private readonly ServiceProvider _services;
    private readonly Func<Task> _drop;

    private TestDatabase(Action<IServiceCollection> addStore, Func<Task> drop)
    {
        var services = new ServiceCollection();
        addStore(services);
        _services = services.BuildServiceProvider();
        _drop = drop;
    }

    public IStore Store => _services.GetRequiredService<IStore>();

    public IDbContextFactory<DispatcherDb> Contexts => _services.GetRequiredService<IDbContextFactory<DispatcherDb>>();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<TestDatabase> OnPostgresAsync(bool migrated = true)
    {
        var database = migrated ? await (await PostgresDatabases.OfRunAsync()).Migrated.TakeAsync() : await PostgresDatabases.EmptyAsync();
        return new TestDatabase(services => services.AddPostgresStore(database.ConnectionString), database.GiveBack);
    }

    public static async Task<TestDatabase> OnSqliteAsync(bool migrated = true)
    {
        var folder = Directory.CreateTempSubdirectory("dispatcher-store-");
        var file = Path.Combine(folder.FullName, "dispatcher.db");
        if (migrated)
        {
            await File.WriteAllBytesAsync(file, await MigratedSqlite.Value, Stop);
        }

        return new TestDatabase(
            services => services.AddSqliteStore(file),
            () =>
            {
                SqliteConnection.ClearAllPools();
                folder.Delete(recursive: true);
                return Task.CompletedTask;
            }
        );
    }

    /// <summary>Opens the same database for another role or as another process.</summary>
    public string PostgresConnectionString => _services.GetRequiredService<NpgsqlDataSource>().ConnectionString;

    /// <summary>Closes the idle sessions of PostgreSQL.</summary>
    public void CloseSessions() => _services.GetRequiredService<NpgsqlDataSource>().Clear();

    public async Task ExecuteAsync(string sql)
    {
        await using var db = await Contexts.CreateDbContextAsync(Stop);
#pragma warning disable EF1002 // Texts of the tests.
        await db.Database.ExecuteSqlRawAsync(sql, Stop);
#pragma warning restore EF1002
    }

    /// <summary>The rows of the query, each as its columns' values.</summary>
    public async Task<IReadOnlyList<object?[]>> QueryAsync(string sql)
    {
        await using var db = await Contexts.CreateDbContextAsync(Stop);
        await db.Database.OpenConnectionAsync(Stop);
        await using var command = db.Database.GetDbConnection().CreateCommand();
#pragma warning disable CA2100 // Texts of the tests.
        command.CommandText = sql;
#pragma warning restore CA2100
        await using var reader = await command.ExecuteReaderAsync(Stop);
        var rows = new List<object?[]>();
        while (await reader.ReadAsync(Stop))
        {
            rows.Add([.. Enumerable.Range(0, reader.FieldCount).Select(i => reader.IsDBNull(i) ? null : reader.GetValue(i))]);
        }

        return rows;
    }

    public async Task<long> CountAsync(string table) => (long)(await QueryAsync($"select count(*) from {table}"))[0][0]!;

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        await _drop();
    }

    private static async Task<byte[]> MigrateSqliteAsync()
    {
        var folder = Directory.CreateTempSubdirectory("dispatcher-store-");
        var file = Path.Combine(folder.FullName, "dispatcher.db");
        await using (var database = new TestDatabase(services => services.AddSqliteStore(file), () => Task.CompletedTask))
        {
            await using var db = await database.Contexts.CreateDbContextAsync();
            await Migrator.MigrateAsync(db, CancellationToken.None);
        }

        // The last connection that is closed brings all changes into the file.
        SqliteConnection.ClearAllPools();
        var bytes = await File.ReadAllBytesAsync(file);
        folder.Delete(recursive: true);
        return bytes;
    }
}
