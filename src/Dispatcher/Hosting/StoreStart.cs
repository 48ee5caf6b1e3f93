using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Hosting;

/// <summary>Starts first: checks that the tables fit this version, or migrates them. Otherwise the start fails.</summary>
internal sealed partial class StoreStart(IDbContextFactory<DispatcherDb> database, ServerSettings settings, ILogger<StoreStart> logger)
    : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var missing = settings.Migrate
            ? await Migrator.MissingAsync(db, cancellationToken)
            : await Migrator.MissingInExistingAsync(db, cancellationToken);
        if (missing.Count == 0)
        {
            return;
        }

        if (!settings.Migrate && !settings.IsEmbedded)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The database lacks {string.Join(", ", missing)}.",
                "Run \"dispatcher migrate --postgres …\" as the owner of the tables; for development use serve --migrate."
            );
        }

        await Migrator.MigrateAsync(db, cancellationToken);
        Log.Migrated(logger, missing.Count);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static partial class Log
    {
        [LoggerMessage(EventIds.Migrated, LogLevel.Information, "The database was migrated, {Count} step(s)")]
        public static partial void Migrated(ILogger logger, int count);
    }
}

/// <summary>
/// Makes the key of <c>DISPATCHER_API_KEY</c> the admin key from the environment; the newest value wins. Then loads the hashes of all valid
/// keys.
/// </summary>
internal sealed class AdminKey(ApiKeys keys, ServerSettings settings) : IHostedService
{
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (settings.ApiKey is { } secret)
        {
            await keys.EnsureAdminAsync(secret, cancellationToken);
        }

        await keys.PreloadAsync(cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
