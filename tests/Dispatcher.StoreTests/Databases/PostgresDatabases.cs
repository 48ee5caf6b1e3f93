using Dispatcher.Storage;
using Dispatcher.StoreTests.Databases;
using Dispatcher.StoreTests.Persistence;
using Microsoft.EntityFrameworkCore;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresDatabases))]

// Most of a test's time is spent on the database server and its disk.
[assembly: Xunit.v3.Parallelization(MaxThreads = 4)]

namespace Dispatcher.StoreTests.Databases;

/// <summary>The databases of a run on the PostgreSQL that <c>ops/test.sh</c> starts.</summary>
public sealed class PostgresDatabases : IAsyncDisposable
{
    private const string Variable = "DISPATCHER_TEST_POSTGRES";

    /// <summary>Databases with the tables of the program.</summary>
    internal DatabasePool Migrated { get; } = new(MigrateAsync);

    /// <summary>Databases with the tables of the library's tests.</summary>
    internal DatabasePool Orders { get; } = new(PersistenceTest.CreateTablesAsync);

    private static string Server => Environment.GetEnvironmentVariable(Variable) ?? "";

    internal static async Task<PostgresDatabases> OfRunAsync()
    {
        Assert.SkipWhen(Server.Length == 0, $"{Variable} is not set: run the tests with ops/test.sh, which starts the servers.");
        return await TestContext.Current.GetFixture<PostgresDatabases>()
            ?? throw new InvalidOperationException("The databases are an assembly fixture.");
    }

    /// <summary>A database without tables.</summary>
    internal static async Task<PooledDatabase> EmptyAsync()
    {
        Assert.SkipWhen(Server.Length == 0, $"{Variable} is not set: run the tests with ops/test.sh, which starts the servers.");
        var name = NewName();
        await ExecuteAsync($"create database {name}");
        return new PooledDatabase(ConnectionString(name), () => DropAsync(name));
    }

    public async ValueTask DisposeAsync()
    {
        await Migrated.DisposeAsync();
        await Orders.DisposeAsync();
    }

    internal static string NewName() => $"store_test_{Guid.NewGuid():n}";

    internal static string ConnectionString(string database) =>
        new NpgsqlConnectionStringBuilder(Server) { Database = database, IncludeErrorDetail = true }.ConnectionString;

    internal static Task DropAsync(string name) => ExecuteAsync($"drop database {name} with (force)");

    /// <summary>Not pooled: tests that kill the server leave dead connections behind.</summary>
    internal static async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"{Server};Pooling=false");
        await connection.OpenAsync();
#pragma warning disable CA2100 // Texts of the tests.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }

    private static async Task MigrateAsync(string connectionString)
    {
        var registration = new ServiceCollection();
        registration.AddPostgresStore(connectionString);
        await using var services = registration.BuildServiceProvider();
        await using var db = await services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync();
        await Migrator.MigrateAsync(db, CancellationToken.None);
    }
}
