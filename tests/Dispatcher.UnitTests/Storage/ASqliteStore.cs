using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Storage;

/// <summary>A migrated SQLite database in a temporary folder, which is deleted at the end.</summary>
internal sealed class ASqliteStore : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
    private readonly ServiceProvider _services;

    private ASqliteStore()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddSqliteStore(File);
        services.AddSingleton(TimeProvider.System);
        _services = services.BuildServiceProvider();
    }

    public IDbContextFactory<DispatcherDb> Database => _services.GetRequiredService<IDbContextFactory<DispatcherDb>>();

    private string File => Path.Combine(_folder.FullName, "dispatcher.db");

    public static async Task<ASqliteStore> MigratedAsync()
    {
        var store = new ASqliteStore();
        await MigratedSqlite.CopyToAsync(store.File);
        return store;
    }

    public async ValueTask DisposeAsync()
    {
        await _services.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _folder.Delete(recursive: true);
    }
}
