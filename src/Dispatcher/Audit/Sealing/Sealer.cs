using Dispatcher.Base;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// Numbers and links committed timeline entries about once a second, without delaying the work. Every process tries; one at a time seals.
/// <para>
/// A transaction may draw the id of its entry early and commit late. So each pass reads all entries after a floor below which no entry can
/// appear any more. The floor is the largest id of some moment, raised once every transaction of that moment has ended and some seconds
/// have passed, because an id is drawn an instant before its transaction gets a number.
/// </para>
/// </summary>
internal sealed partial class Sealer(
    SealTable table,
    Checkpoints checkpoints,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<Sealer> logger
) : Loop(TimeSpan.FromSeconds(1), time, logger)
{
    private const int Batch = 5_000;

    /// <summary>Maximum number of batches in one pass. The next pass starts at the floor again.</summary>
    private const int BatchesOfPass = 20;

    private static readonly TimeSpan FloorAfter = TimeSpan.FromSeconds(10);

    /// <summary>After this time a pass reads all entries.</summary>
    private static readonly TimeSpan RescanPeriod = TimeSpan.FromHours(1);

    /// <summary>Maximum time from the commit of an entry to its seal. A longer time is reported as trouble.</summary>
    private static readonly TimeSpan MaxLag = TimeSpan.FromSeconds(30);

    private readonly Lock _guard = new();
    private readonly UnsealedIds _unsealed = new();
    private (long Began, long Entry, long Transaction)? _nextFloor;
    private long _rescannedAt = time.GetTimestamp();
    private long _completeSince = time.GetTimestamp();
    private bool _hasStarted;

    /// <summary>Maximum age of the committed entries that are not sealed yet.</summary>
    public TimeSpan Lag
    {
        get
        {
            lock (_guard)
            {
                return Time.GetElapsedTime(_completeSince);
            }
        }
    }

    /// <summary>All entries with an id up to this one are sealed, and no further one can appear.</summary>
    public long Floor { get; private set; } = long.MinValue;

    /// <summary>Why sealing needs a person. Null: sealing works.</summary>
    public string? Trouble => checkpoints.Trouble ?? (Lag > MaxLag ? $"entries have not been sealed for {Lag.TotalSeconds:F0} s" : null);

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SealAsync(cancellationToken);
            await checkpoints.OnceAsync(now: false, cancellationToken);
        }
        finally
        {
            metrics.SealingLags(Lag);
        }
    }

    /// <summary>Seals and signs the entries that were committed before the stop.</summary>
    protected override async Task StoppedAsync(CancellationToken cancellationToken)
    {
        try
        {
            await SealAsync(cancellationToken);
            await checkpoints.OnceAsync(now: true, cancellationToken);
        }
#pragma warning disable CA1031 // The next process seals the entries, and the stop must continue.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            Log.Left(logger, reason);
        }
    }

    /// <summary>Seals the committed entries; returns how many.</summary>
    public async Task<int> SealAsync(CancellationToken cancellationToken)
    {
        var began = Time.GetTimestamp();
        if (!_hasStarted)
        {
            Floor = await table.StartAsync(Time.GetUtcNow(), cancellationToken);
            _hasStarted = true;
        }

        var rescan = Time.GetElapsedTime(_rescannedAt) > RescanPeriod;
        var (range, count) = (rescan ? new SealRange(long.MinValue, []) : _unsealed.Above(Floor), 0);
        SealPass? first = null;
        for (var batch = 0; batch < BatchesOfPass; batch++)
        {
            if (await table.SealAsync(range, Batch, cancellationToken) is not { } pass)
            {
                return count;
            }

            first ??= pass;
            count += pass.Entries.Count;
            _unsealed.Seal(pass);
            metrics.Sealed(pass.Entries.Count);
            if (pass.Entries.Count < Batch)
            {
                _rescannedAt = rescan ? began : _rescannedAt;
                Settle(began, first);
                return count;
            }

            range = range.Above(pass.Entries[^1]);
        }

        return count;
    }

    /// <summary>Raises the floor after a pass that read all entries.</summary>
    private void Settle(long began, SealPass first)
    {
        if (_nextFloor is { } next && Time.GetElapsedTime(next.Began, began) > FloorAfter && first.OldestLive >= next.Transaction)
        {
            (Floor, _nextFloor) = (next.Entry, null);
        }

        _nextFloor ??= (began, first.Before.LargestEntry, first.NextTransaction);
        lock (_guard)
        {
            _completeSince = began;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.SealingLeft,
            LogLevel.Information,
            "Failed to seal the last timeline entries at the stop; another process or the next start seals them"
        )]
        public static partial void Left(ILogger logger, Exception reason);
    }
}
