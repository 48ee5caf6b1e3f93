namespace Dispatcher.Jobs;

/// <summary>How long a claim holds without a heartbeat, and how long after a limit the sweep acts.</summary>
internal static class Leases
{
    /// <summary>Heartbeat intervals of a lease: one heartbeat may be lost and one late.</summary>
    public const int Heartbeats = 3;

    /// <summary>Time after the end of a permit in which its claim may still arrive.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Time after the hard end of a run in which its outcome may still arrive: as long as a broker or a server takes to restart. A shorter
    /// time would report finished work as lost.
    /// </summary>
    public static readonly TimeSpan ReportGrace = TimeSpan.FromSeconds(20);
}
