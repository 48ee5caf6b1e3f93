using Dispatcher.Base;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Base;

/// <summary>
/// Only the user of an embedded server can read its files: payloads, results, hashes of API keys and the keys of permits.
/// </summary>
[System.Runtime.Versioning.UnsupportedOSPlatform("windows")]
public sealed class PrivateFilesTests : IDisposable
{
    private const UnixFileMode Others = ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    private readonly DirectoryInfo _parent = Directory.CreateTempSubdirectory("dispatcher-unit-");

    private string Data => Path.Combine(_parent.FullName, "data");

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _parent.Delete(recursive: true);
    }

    [Fact]
    public async Task Embedded_database_and_folder_are_readable_by_their_user_only()
    {
        using var held = EmbeddedFiles.Open(Data);

        await WriteAsync();

        // The last connection deletes the other files of the database.
        Assert.Equal(
            [".gitignore", "data", "dispatcher.db", "lock"],
            Names().Where(name => !name.StartsWith("dispatcher.db-", StringComparison.Ordinal))
        );
        Assert.Empty(OpenToOthers());
    }

    [Fact]
    public async Task Existing_files_lose_the_permissions_of_other_users()
    {
        var wide = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        using (EmbeddedFiles.Open(Data))
        {
            await WriteAsync();
        }

        Array.ForEach(Directory.GetFiles(Data), file => File.SetUnixFileMode(file, wide));
        File.SetUnixFileMode(Data, wide | UnixFileMode.UserExecute | UnixFileMode.OtherExecute);

        using var held = EmbeddedFiles.Open(Data);

        Assert.Empty(OpenToOthers());
    }

    /// <summary>A folder with files belongs to its user, so no file is added to it.</summary>
    [Fact]
    public void New_folder_gets_a_gitignore_and_a_folder_with_files_does_not()
    {
        var used = Directory.CreateDirectory(Path.Combine(_parent.FullName, "used")).FullName;
        File.WriteAllText(Path.Combine(used, "mine"), "");

        PrivateFiles.MakeFolder(Data);
        PrivateFiles.MakeFolder(used);

        Assert.Equal("*\n", File.ReadAllText(Path.Combine(Data, ".gitignore")));
        Assert.False(File.Exists(Path.Combine(used, ".gitignore")));
    }

    [Fact]
    public void Second_server_cannot_open_the_folder()
    {
        using var held = EmbeddedFiles.Open(Data);

        Assert.Contains(
            "Another embedded server",
            Assert.Throws<ExitException>(() => EmbeddedFiles.Open(Data)).Message,
            StringComparison.Ordinal
        );
    }

    /// <summary>Leaves a connection open in the pool, so that <c>-wal</c> and <c>-shm</c> stay.</summary>
    private async Task WriteAsync()
    {
        var services = new ServiceCollection().AddLogging();
        services.AddSqliteStore(EmbeddedFiles.Database(Data));
        await using var provider = services.BuildServiceProvider();
        await using var db = await provider
            .GetRequiredService<IDbContextFactory<DispatcherDb>>()
            .CreateDbContextAsync(TestContext.Current.CancellationToken);
        await db.Database.ExecuteSqlRawAsync("pragma journal_mode = wal", TestContext.Current.CancellationToken);
        await Migrator.MigrateAsync(db, TestContext.Current.CancellationToken);
    }

    private IEnumerable<string> Names() =>
        Directory.GetFiles(Data).Append(Data).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal);

    private IEnumerable<string> OpenToOthers() =>
        Directory.GetFiles(Data).Append(Data).Where(path => (File.GetUnixFileMode(path) & Others) != 0);
}
