using Dispatcher.Storage;
using Microsoft.Data.Sqlite;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Storage;

/// <summary>A migrated SQLite database. It is migrated once in a run; a copy of the file costs a fraction of migrating.</summary>
internal static class MigratedSqlite
{
    private static readonly Lazy<Task<byte[]>> File = new(MigrateAsync);

    /// <summary>Makes a migrated database of a file that does not exist yet.</summary>
    public static async Task CopyToAsync(string file) =>
        await System.IO.File.WriteAllBytesAsync(file, await File.Value, TestContext.Current.CancellationToken);

    private static async Task<byte[]> MigrateAsync()
    {
        var folder = Directory.CreateTempSubdirectory("dispatcher-unit-");
        var file = Path.Combine(folder.FullName, "dispatcher.db");
        var registration = new ServiceCollection().AddLogging();
        registration.AddSqliteStore(file);
        registration.AddSingleton(TimeProvider.System);
        await using (var services = registration.BuildServiceProvider())
        {
            await using var db = await services.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync();
            await Migrator.MigrateAsync(db, CancellationToken.None);
        }

        // The last connection that is closed brings all changes into the file.
        SqliteConnection.ClearAllPools();
        var bytes = await System.IO.File.ReadAllBytesAsync(file);
        folder.Delete(recursive: true);
        return bytes;
    }
}
