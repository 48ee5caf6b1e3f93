namespace Dispatcher.UnitTests.Worker.Effects;

public sealed class SqliteEffectTests : EffectTests
{
    private readonly string _folder = Directory.CreateTempSubdirectory("effects-").FullName;

    protected override string Address => Path.Combine(_folder, "effects.db");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        Directory.Delete(_folder, recursive: true);
    }
}
