using Dispatcher.Hosting;
using Dispatcher.Policies;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Judging;

/// <summary>The bundle in force, as this process knows it. The row in the store is the truth: each commit compares with it, and a mismatch brings the caller back here.</summary>
internal sealed partial class CurrentBundle(IDbContextFactory<DispatcherDb> database, TimeProvider time, ILogger<CurrentBundle> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile BundleKnown _inForce = new("", null, 0);

    /// <summary>One consistent pair of hash and bundle.</summary>
    public BundleKnown InForce => _inForce;

    /// <summary>Reads the row, and loads the bundle when it is another one.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var row = await db.ActiveBundle.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
            var (hash, serial) = (row?.Hash ?? "", row?.Serial ?? 0);
            if (hash == _inForce.Hash)
            {
                _inForce = _inForce with { Serial = serial };
                return;
            }

            var stored = await db.Bundles.AsNoTracking().SingleAsync(bundle => bundle.Hash == hash, cancellationToken);

            // Also an archive that somebody changed counts as one that cannot be read.
            var load = Bundle.FromArchive(stored.Archive, hash);
            _inForce = new BundleKnown(hash, load.Bundle, serial);
            if (load.Bundle is null)
            {
                Log.Unreadable(logger, hash, string.Join("; ", load.Errors));
            }
            else
            {
                Log.Loaded(logger, hash, load.Bundle.JobClasses.Count);
            }
        }
        finally
        {
            _one.Release();
        }
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await OnceAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _one.Dispose();
        base.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.BundleLoaded, LogLevel.Information, "Bundle {Hash} is in force, {Topics} topics")]
        public static partial void Loaded(ILogger logger, string hash, int topics);

        [LoggerMessage(EventIds.BundleBroken, LogLevel.Error, "Bundle {Hash} is in force but it cannot be read: every job is denied. {Errors}")]
        public static partial void Unreadable(ILogger logger, string hash, string errors);
    }
}

/// <summary>The hash in force (empty: none) and the bundle, null when there is none or it cannot be read; the serial tells one activation from the next, 0: none.</summary>
internal sealed record BundleKnown(string Hash, Bundle? Bundle, long Serial);
