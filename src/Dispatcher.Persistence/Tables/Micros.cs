namespace Dispatcher.Persistence.Tables;

/// <summary>Microseconds since 1970-01-01T00:00:00Z.</summary>
internal static class Micros
{
    public static long Of(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTime ToDateTime(long micros) => DateTime.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);
}
