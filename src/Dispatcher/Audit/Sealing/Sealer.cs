using Dispatcher.Base;

namespace Dispatcher.Audit.Sealing;

/// <summary>
/// Numbers and links what was committed, about once a second, behind the work and never in its way. Any process may; one at a time does.
/// <para>
/// A transaction that took its entry's id early may commit it late. So a pass looks at everything after a floor below which nothing more can come: the largest id there
/// was at a moment, once every transaction of that moment has ended and some seconds are over (an id is drawn an instant before its transaction gets a number).
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

    /// <summary>A pass that has more to do goes on in the next one, which begins at the floor again.</summary>
    private const int BatchesOfPass = 20;

    private static readonly TimeSpan FloorAfter = TimeSpan.FromSeconds(10);

    /// <summary>Every so often the floor is given up and everything is looked at.</summary>
    private static readonly TimeSpan WholeAgain = TimeSpan.FromHours(1);

    /// <summary>So long after its commit an entry must be sealed; else people are told.</summary>
    private static readonly TimeSpan LongestLag = TimeSpan.FromSeconds(30);

    private readonly Lock _guard = new();
    private (long Began, long Entry, long Transaction)? _nextFloor;
    private long _wholeSince = time.GetTimestamp();
    private long _completeSince = time.GetTimestamp();

    /// <summary>At most so old is what is committed and not sealed yet.</summary>
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

    /// <summary>Entries with an id up to this one are sealed, and none can come any more.</summary>
    public long Floor { get; private set; } = long.MinValue;

    /// <summary>What a person should look at. Null: sealing works.</summary>
    public string? Trouble => checkpoints.Distrust ?? (Lag > LongestLag ? $"entries are not sealed for {Lag.TotalSeconds:F0} s" : null);

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

    /// <summary>What was done until the stop is sealed and signed too.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await SealAsync(cancellationToken);
            await checkpoints.OnceAsync(now: true, cancellationToken);
        }
#pragma warning disable CA1031 // Whatever it is, the next process seals it, and the stop must go on.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            Log.Left(logger, reason);
        }
    }

    /// <summary>Seals what is settled now; answers how much it was.</summary>
    public async Task<int> SealAsync(CancellationToken cancellationToken)
    {
        var began = Time.GetTimestamp();
        if (Time.GetElapsedTime(_wholeSince) > WholeAgain)
        {
            (Floor, _nextFloor, _wholeSince) = (long.MinValue, null, began);
        }

        var (after, count) = (Floor, 0);
        SealPass? first = null;
        for (var batch = 0; batch < BatchesOfPass; batch++)
        {
            if (await table.SealAsync(after, Batch, cancellationToken) is not { } pass)
            {
                return count;
            }

            first ??= pass;
            count += pass.Sealed;
            metrics.Sealed(pass.Sealed);
            if (pass.Sealed < Batch)
            {
                Settle(began, first);
                return count;
            }

            after = pass.Last;
        }

        return count;
    }

    /// <summary>A pass has looked at everything.</summary>
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
            "The last entries of this process could not be sealed at its stop; another process does, or this one at its next start"
        )]
        public static partial void Left(ILogger logger, Exception reason);
    }
}
