namespace Dispatcher.Jobs;

/// <summary>How long a claim holds without a sign of life, and how much later than a limit the sweep acts.</summary>
internal static class Leases
{
    /// <summary>A lease is this many heartbeat intervals: one may be lost and one late.</summary>
    public const int Heartbeats = 3;

    /// <summary>After a permit's end its claim may still be under way.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>
    /// After a run's hard end its outcome may still be on its way, for as long as a broker or a server takes to restart: to give it up sooner would call work lost that is done.
    /// </summary>
    public static readonly TimeSpan ReportGrace = TimeSpan.FromSeconds(20);
}
