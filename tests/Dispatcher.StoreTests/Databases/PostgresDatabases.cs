using Dispatcher.StoreTests.Databases;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

[assembly: AssemblyFixture(typeof(PostgresTemplate))]

namespace Dispatcher.StoreTests.Databases;

/// <summary>Migrated once in a run; each test gets a copy, which is much faster than migrating again.</summary>
public sealed class PostgresTemplate : IAsyncDisposable
{
    private const string Variable = "DISPATCHER_TEST_POSTGRES";

    private readonly Lazy<Task<string>> _name;

    public PostgresTemplate() => _name = new Lazy<Task<string>>(CreateAsync);

    private static string Server => Environment.GetEnvironmentVariable(Variable) ?? "";

    internal Task<(string ConnectionString, Func<Task> Drop)> CopyAsync() => CreateAsync(async () => $" template {await _name.Value}");

    /// <summary>A database without tables.</summary>
    internal static Task<(string ConnectionString, Func<Task> Drop)> EmptyAsync() => CreateAsync(() => Task.FromResult(""));

    private static async Task<(string ConnectionString, Func<Task> Drop)> CreateAsync(Func<Task<string>> template)
    {
        Assert.SkipWhen(Server.Length == 0, $"{Variable} is not set: run the tests with ops/test.sh, which starts the servers.");
        var name = NewName();
        await ExecuteAsync($"create database {name}{await template()}");
        return (ConnectionString(name), () => ExecuteAsync($"drop database {name} with (force)"));
    }

    public async ValueTask DisposeAsync()
    {
        if (_name.IsValueCreated)
        {
            await ExecuteAsync($"drop database {await _name.Value} with (force)");
        }
    }

    private static async Task<string> CreateAsync()
    {
        var name = NewName();
        await ExecuteAsync($"create database {name}");

        // Not pooled: a database with an open connection cannot be copied.
        var registration = new ServiceCollection();
        registration.AddPostgresStore($"{ConnectionString(name)};Pooling=false");
        await using var services = registration.BuildServiceProvider();
        await using var db = await services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync();
        await Migrator.MigrateAsync(db, CancellationToken.None);
        return name;
    }

    private static string NewName() => $"store_test_{Guid.NewGuid():n}";

    private static string ConnectionString(string database) =>
        new NpgsqlConnectionStringBuilder(Server) { Database = database, IncludeErrorDetail = true }.ConnectionString;

    /// <summary>Not pooled: tests that kill the server leave dead connections behind.</summary>
    private static async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"{Server};Pooling=false");
        await connection.OpenAsync();
#pragma warning disable CA2100 // Texts of the tests.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }
}
