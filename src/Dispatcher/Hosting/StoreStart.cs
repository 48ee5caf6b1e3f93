using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Hosting;

/// <summary>Starts first: checks that the tables fit this version, or migrates them. Otherwise the start fails.</summary>
internal sealed partial class StoreStart(IDbContextFactory<DispatcherDb> database, ServerSettings settings, ILogger<StoreStart> logger)
    : IHostedService
{
    /// <summary>A rollback by one version must work. A version has at most one migration.</summary>
    public const int MaxNewer = 1;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var missing = settings.Migrate
            ? await Migrator.MissingAsync(db, cancellationToken)
            : await Migrator.MissingInExistingAsync(db, cancellationToken);
        if (missing.Count == 0)
        {
            await CheckNewerAsync(db, cancellationToken);
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

    /// <summary>A server runs on the tables of the version after its own, and on no later ones: nothing tested that.</summary>
    private async Task CheckNewerAsync(DispatcherDb db, CancellationToken cancellationToken)
    {
        var newer = await Migrator.NewerAsync(db, cancellationToken);
        if (newer.Count > MaxNewer)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"The database has {newer.Count} migrations of later versions: {string.Join(", ", newer)}. "
                    + $"This version starts with at most {MaxNewer}.",
                "Start a server of a later version, or restore the copy of the database from before the upgrade (ops/upgrade.md)."
            );
        }

        if (newer.Count > 0)
        {
            Log.Newer(logger, string.Join(", ", newer));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.Migrated, LogLevel.Information, "The database was migrated, {Count} step(s)")]
        public static partial void Migrated(ILogger logger, int count);

        [LoggerMessage(
            EventIds.StoreNewer,
            LogLevel.Warning,
            "The database has the migration {Newer} of a later version, and this server starts all the same. Upgrade it again soon: it "
                + "does not start after one more migration"
        )]
        public static partial void Newer(ILogger logger, string newer);
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
