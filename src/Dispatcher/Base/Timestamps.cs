namespace Dispatcher.Base;

/// <summary>The store's times are microseconds since 1970-01-01T00:00:00Z, by the database's clock.</summary>
internal static class Timestamps
{
    public static long Micros(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset At(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    public static DateTimeOffset? At(long? micros) => micros is { } known ? At(known) : null;
}
