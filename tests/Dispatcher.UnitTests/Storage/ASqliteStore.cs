using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Storage;

/// <summary>A migrated SQLite database in a folder of its own, removed at the end.</summary>
internal sealed class ASqliteStore : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
    private readonly ServiceProvider _services;

    private ASqliteStore()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddSqliteStore(Path.Combine(_folder.FullName, "dispatcher.db"));
        services.AddSingleton(TimeProvider.System);
        _services = services.BuildServiceProvider();
    }

    public IDbContextFactory<DispatcherDb> Database => _services.GetRequiredService<IDbContextFactory<DispatcherDb>>();

    public static async Task<ASqliteStore> MigratedAsync()
    {
        var store = new ASqliteStore();
        await using var db = await store.Database.CreateDbContextAsync(TestContext.Current.CancellationToken);
        await Migrator.MigrateAsync(db, TestContext.Current.CancellationToken);
        return store;
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }
}
