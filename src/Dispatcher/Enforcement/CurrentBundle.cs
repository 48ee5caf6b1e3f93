using Dispatcher.Base;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>
/// The bundle in force, cached in this process and refreshed every second. The row in the store names the bundle, and the timeline must
/// confirm it. Each commit compares its policy hash with the row; on a mismatch the caller reads the bundle again.
/// </summary>
internal sealed partial class CurrentBundle(IDbContextFactory<DispatcherDb> database, TimeProvider time, ILogger<CurrentBundle> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    private static readonly KnownBundle None = new("", null, 0);

    private readonly SemaphoreSlim _lock = new(1, 1);

    private volatile KnownBundle _inForce = None;

    /// <summary>Hash, bundle and serial as one consistent snapshot.</summary>
    public KnownBundle InForce => _inForce;

    /// <summary>Reads the row and the last activation on the timeline, and loads the bundle if it has changed.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await _lock.WaitAsync(cancellationToken);
        try
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var (row, evidence) = await ActivationEvidence.ReadAsync(db, cancellationToken);
            if (ActivationEvidence.Contradiction(row, evidence) is { } trouble)
            {
                Refuse(row, evidence, trouble);
            }
            else if (row is not null && row.Hash == _inForce.Hash && _inForce.Trouble is null)
            {
                ReportPin(row);
                _inForce = _inForce with { Serial = row.Serial, PinnedBy = PinnedBy(row) };
            }
            else
            {
                await LoadAsync(db, row, cancellationToken);
            }
        }
        finally
        {
            _lock.Release();
        }
    }

    private async Task LoadAsync(DispatcherDb db, BundleInForce? row, CancellationToken cancellationToken)
    {
        if (row is null)
        {
            _inForce = None;
            return;
        }

        var stored = await db.Bundles.AsNoTracking().SingleOrDefaultAsync(bundle => bundle.Hash == row.Hash, cancellationToken);

        // A bundle without a row and an archive that was changed count as bundles that cannot be read: every job is denied.
        var load = Bundle.FromArchive(stored?.Archive ?? [], row.Hash);
        ReportPin(row);
        _inForce = new KnownBundle(row.Hash, load.Bundle, row.Serial) { PinnedBy = PinnedBy(row) };
        if (load.Bundle is null)
        {
            Log.Unreadable(logger, row.Hash, string.Join("; ", load.Errors));
        }
        else
        {
            Log.Loaded(logger, row.Hash, load.Bundle.JobClasses.Count);
        }
    }

    /// <summary>
    /// No bundle is in force while row and timeline disagree. A hash is kept: without one, a server that starts would put its folder in
    /// force at once, and a person must check first.
    /// </summary>
    private void Refuse(BundleInForce? row, ActivationEvidence? evidence, string trouble)
    {
        if (_inForce.Trouble != trouble)
        {
            Log.Contradicted(logger, trouble);
        }

        _inForce = new KnownBundle(row?.Hash ?? evidence?.PolicyHash ?? "", null, row?.Serial ?? 0) { Trouble = trouble };
    }

    private static string? PinnedBy(BundleInForce row) => row.Pinned ? row.Actor : null;

    /// <summary>Logs once for each activation that begins or ends a pin.</summary>
    private void ReportPin(BundleInForce row)
    {
        if (row.Serial != _inForce.Serial && row.Pinned)
        {
            Log.Pinned(logger, row.Hash, row.Actor);
        }
        else if (_inForce.PinnedBy is not null && !row.Pinned)
        {
            Log.Unpinned(logger, row.Actor);
        }
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await OnceAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    public override void Dispose()
    {
        _lock.Dispose();
        base.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.BundleLoaded, LogLevel.Information, "Bundle {Hash} is in force with {Topics} topics")]
        public static partial void Loaded(ILogger logger, string hash, int topics);

        [LoggerMessage(
            EventIds.BundlePinned,
            LogLevel.Information,
            "{Actor} pinned bundle {Hash}: no policy folder replaces it until \"dispatcher policy unpin\""
        )]
        public static partial void Pinned(ILogger logger, string hash, string actor);

        [LoggerMessage(
            EventIds.BundleUnpinned,
            LogLevel.Information,
            "{Actor} ended the pin: changes of the policy folders take effect again"
        )]
        public static partial void Unpinned(ILogger logger, string actor);

        [LoggerMessage(
            EventIds.BundleBroken,
            LogLevel.Error,
            "Bundle {Hash} is in force but cannot be read, so every job is denied: {Errors}"
        )]
        public static partial void Unreadable(ILogger logger, string hash, string errors);

        [LoggerMessage(EventIds.BundleContradicted, LogLevel.Error, "No bundle is in force and every job is denied: {Trouble}")]
        public static partial void Contradicted(ILogger logger, string trouble);
    }
}

/// <summary>The bundle in force as one process knows it.</summary>
/// <param name="Hash">Its hash. Empty: no bundle is in force.</param>
/// <param name="Bundle">The bundle. Null: there is none, or it cannot be read.</param>
/// <param name="Serial">The number of its activation. 0: none.</param>
internal sealed record KnownBundle(string Hash, Bundle? Bundle, long Serial)
{
    /// <summary>The actor who pinned it. Null: it is not pinned.</summary>
    public string? PinnedBy { get; init; }

    /// <summary>How the timeline contradicts the row, and how to fix it. Null: they agree.</summary>
    public string? Trouble { get; init; }
}
