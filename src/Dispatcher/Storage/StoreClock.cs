using System.Globalization;
using Dispatcher.Base;

namespace Dispatcher.Storage;

/// <summary>
/// Tells the time of the database, so that every process agrees on what is due and what has expired. Measured every few seconds; a process whose own
/// clock is off by more than two seconds, or that cannot reach the database, is not trusted and decides nothing.
/// </summary>
internal sealed partial class StoreClock(IStore store, TimeProvider time, ILogger<StoreClock> logger)
    : Loop(TimeSpan.FromSeconds(2), time, logger)
{
    private static readonly TimeSpan LargestOffset = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LongestProbe = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestTrust = TimeSpan.FromSeconds(15);

    protected override TimeSpan LongestRound => TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _firstProbe = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _offset;
    private long _probedAt;

    /// <summary>Microseconds since 1970 by the database's clock, as well as this process knows it.</summary>
    public long Now => Timestamps.Micros(Time.GetUtcNow()) + Interlocked.Read(ref _offset);

    /// <summary>How far this process's clock is behind the database's.</summary>
    public TimeSpan Offset => TimeSpan.FromMicroseconds(Interlocked.Read(ref _offset));

    public bool IsTrusted =>
        _firstProbe.Task.IsCompletedSuccessfully
        && Time.GetElapsedTime(Interlocked.Read(ref _probedAt)) < LongestTrust
        && Offset.Duration() <= LargestOffset;

    /// <summary>Why the clock is not trusted, in words. Null: it is.</summary>
    public string? Trouble =>
        IsTrusted ? null
        : Offset.Duration() <= LargestOffset ? "the database cannot be reached"
        : $"this machine's clock is {OffsetInWords}; at most {LargestOffset.TotalSeconds:0} s are allowed";

    private string OffsetInWords =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Offset.Duration().TotalSeconds:F1} s {(Offset < TimeSpan.Zero ? "ahead of" : "behind")} the database's"
        );

    /// <summary>Waits until the clock may be trusted.</summary>
    public async Task TrustedAsync(CancellationToken cancellationToken)
    {
        while (!IsTrusted)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), Time, cancellationToken);
        }
    }

    /// <summary>Asks the database once.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        var before = Timestamps.Micros(Time.GetUtcNow());
        var there = await store.NowAsync(cancellationToken);
        var after = Timestamps.Micros(Time.GetUtcNow());
        if (after - before > Timestamps.Micros(LongestProbe))
        {
            // Waiting for a connection is no offset.
            return;
        }

        Interlocked.Exchange(ref _offset, there - ((before + after) / 2));
        Interlocked.Exchange(ref _probedAt, Time.GetTimestamp());
        _firstProbe.TrySetResult();
        if (Offset.Duration() > LargestOffset)
        {
            Log.Off(logger, OffsetInWords);
        }
    }

    public override async Task StartAsync(CancellationToken cancellationToken)
    {
        await OnceAsync(cancellationToken);
        await base.StartAsync(cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.ClockOff,
            LogLevel.Error,
            "This machine's clock is {Offset}, more than 2 s off: nothing is decided here until it is set right"
        )]
        public static partial void Off(ILogger logger, string offset);
    }
}
