using Dispatcher.Base;
using Dispatcher.Policies;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Enforcement;

/// <summary>
/// The bundle in force, as this process knows it. The row in the store says which, and the timeline must confirm it. Each commit compares
/// with the row, and a mismatch brings the caller back here.
/// </summary>
internal sealed partial class CurrentBundle(IDbContextFactory<DispatcherDb> database, TimeProvider time, ILogger<CurrentBundle> logger)
    : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    private static readonly BundleKnown None = new("", null, 0);

    private readonly SemaphoreSlim _one = new(1, 1);

    private volatile BundleKnown _inForce = None;

    /// <summary>One consistent pair of hash and bundle.</summary>
    public BundleKnown InForce => _inForce;

    /// <summary>Reads the row and the last activation on the timeline, and loads the bundle when it is another one.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            await using var db = await database.CreateDbContextAsync(cancellationToken);
            var (row, witness) = await ActivationEvidence.ReadAsync(db, cancellationToken);
            if (ActivationEvidence.WhyNot(row, witness) is { } trouble)
            {
                Refuse(row, witness, trouble);
            }
            else if (row is not null && row.Hash == _inForce.Hash && _inForce.Trouble is null)
            {
                TellPin(row);
                _inForce = _inForce with { Serial = row.Serial, PinnedBy = PinnedBy(row) };
            }
            else
            {
                await LoadAsync(db, row, cancellationToken);
            }
        }
        finally
        {
            _one.Release();
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

        // Also one that is gone, or an archive that somebody changed, counts as one that cannot be read.
        var load = Bundle.FromArchive(stored?.Archive ?? [], row.Hash);
        TellPin(row);
        _inForce = new BundleKnown(row.Hash, load.Bundle, row.Serial) { PinnedBy = PinnedBy(row) };
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
    /// Nothing is in force while row and timeline disagree. A hash stays known: without one, the folder of a server that starts would be
    /// put in force at once,
    /// and a person should look first.
    /// </summary>
    private void Refuse(BundleInForce? row, ActivationEvidence? witness, string trouble)
    {
        if (_inForce.Trouble != trouble)
        {
            Log.Contradicted(logger, trouble);
        }

        _inForce = new BundleKnown(row?.Hash ?? witness?.PolicyHash ?? "", null, row?.Serial ?? 0) { Trouble = trouble };
    }

    private static string? PinnedBy(BundleInForce row) => row.Pinned ? row.Actor : null;

    /// <summary>Once for each activation that begins or ends a pin.</summary>
    private void TellPin(BundleInForce row)
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
        _one.Dispose();
        base.Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.BundleLoaded, LogLevel.Information, "Bundle {Hash} is in force, {Topics} topics")]
        public static partial void Loaded(ILogger logger, string hash, int topics);

        [LoggerMessage(
            EventIds.BundlePinned,
            LogLevel.Information,
            "Bundle {Hash} is pinned by {Actor}: no policy folder changes it until \"dispatcher policy unpin\""
        )]
        public static partial void Pinned(ILogger logger, string hash, string actor);

        [LoggerMessage(EventIds.BundleUnpinned, LogLevel.Information, "The pin was ended by {Actor}: the policy folders decide again")]
        public static partial void Unpinned(ILogger logger, string actor);

        [LoggerMessage(
            EventIds.BundleBroken,
            LogLevel.Error,
            "Bundle {Hash} is in force but it cannot be read: every job is denied. {Errors}"
        )]
        public static partial void Unreadable(ILogger logger, string hash, string errors);

        [LoggerMessage(EventIds.BundleContradicted, LogLevel.Error, "No bundle is in force and every job is denied: {Trouble}")]
        public static partial void Contradicted(ILogger logger, string trouble);
    }
}

/// <summary>The hash in force (empty: none) and the bundle, null when there is none or it cannot be read; the serial tells one activation from the next, 0: none.</summary>
internal sealed record BundleKnown(string Hash, Bundle? Bundle, long Serial)
{
    /// <summary>Who pinned it. Null: it is not pinned.</summary>
    public string? PinnedBy { get; init; }

    /// <summary>What the timeline says against the row, and what to do. Null: nothing.</summary>
    public string? Trouble { get; init; }
}
