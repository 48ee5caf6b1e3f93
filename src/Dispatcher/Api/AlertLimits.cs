using Dispatcher.Base;

namespace Dispatcher.Api;

/// <summary>
/// The limits above which the status reports a problem. They are those of the alert rules in <c>ops/telemetry/alerts.yaml</c>, so that
/// status and alerts agree; a test compares them. An alert fires later, because its condition must hold for some time.
/// </summary>
internal static class AlertLimits
{
    public static readonly TimeSpan ClockOffset = TimeSpan.FromSeconds(1);

    /// <summary>Of the first job of a backlog, since it became ready.</summary>
    public static readonly TimeSpan BacklogAge = TimeSpan.FromMinutes(10);

    public static readonly TimeSpan OutboxAge = TimeSpan.FromMinutes(1);

    public static readonly TimeSpan DeadLetterAge = TimeSpan.FromDays(7);

    /// <summary>A younger dead letter is new.</summary>
    public static readonly TimeSpan NewDeadLetter = TimeSpan.FromMinutes(15);

    public static readonly long NewDeadLetterUs = Timestamps.Micros(NewDeadLetter);

    public static readonly TimeSpan ApprovalWait = TimeSpan.FromHours(1);

    /// <summary>Of entries of the timeline that are not sealed.</summary>
    public static readonly TimeSpan UnsealedLag = TimeSpan.FromMinutes(1);
}
