using System.Globalization;
using Dispatcher.Base;

namespace Dispatcher.Storage;

/// <summary>
/// The time of the database, so that all processes agree on what is due and what has expired. The offset of the machine's clock is measured
/// every 2 s. While it is more than 2 s, or the database is unreachable, <see cref="IsTrusted"/> is false and the process decides nothing.
/// </summary>
internal sealed partial class StoreClock(IStore store, TimeProvider time, ILogger<StoreClock> logger)
    : Loop(TimeSpan.FromSeconds(2), time, logger)
{
    private static readonly TimeSpan MaxOffset = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan MaxProbe = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxTrust = TimeSpan.FromSeconds(15);

    protected override TimeSpan MaxRound => TimeSpan.FromSeconds(2);

    private readonly TaskCompletionSource _firstProbe = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _offset;
    private long _probedAt;

    /// <summary>The database's time in microseconds since 1970, as of the last measurement.</summary>
    public long Now => Timestamps.Micros(Time.GetUtcNow()) + Interlocked.Read(ref _offset);

    /// <summary>How far the machine's clock is behind the database's. Negative: ahead.</summary>
    public TimeSpan Offset => TimeSpan.FromMicroseconds(Interlocked.Read(ref _offset));

    public bool IsTrusted =>
        _firstProbe.Task.IsCompletedSuccessfully
        && Time.GetElapsedTime(Interlocked.Read(ref _probedAt)) < MaxTrust
        && Offset.Duration() <= MaxOffset;

    /// <summary>Why the clock is not trusted, in words. Null: it is trusted.</summary>
    public string? Trouble =>
        IsTrusted ? null
        : Offset.Duration() <= MaxOffset ? "the database cannot be reached"
        : $"this machine's clock is {OffsetInWords}; at most {MaxOffset.TotalSeconds:0} s are allowed";

    private string OffsetInWords =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"{Offset.Duration().TotalSeconds:F1} s {(Offset < TimeSpan.Zero ? "ahead of" : "behind")} the database's"
        );

    /// <summary>Waits until the clock is trusted.</summary>
    public async Task TrustedAsync(CancellationToken cancellationToken)
    {
        while (!IsTrusted)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), Time, cancellationToken);
        }
    }

    /// <summary>Measures the offset once.</summary>
    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        var before = Timestamps.Micros(Time.GetUtcNow());
        var stored = await store.NowAsync(cancellationToken);
        var after = Timestamps.Micros(Time.GetUtcNow());
        if (after - before > Timestamps.Micros(MaxProbe))
        {
            // The time that a connection takes would count as an offset.
            return;
        }

        Interlocked.Exchange(ref _offset, stored - ((before + after) / 2));
        Interlocked.Exchange(ref _probedAt, Time.GetTimestamp());
        _firstProbe.TrySetResult();
        if (Offset.Duration() > MaxOffset)
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
            "This machine's clock is {Offset}, more than 2 s off: this process decides nothing until the clock is corrected"
        )]
        public static partial void Off(ILogger logger, string offset);
    }
}
