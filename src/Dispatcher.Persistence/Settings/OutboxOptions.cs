using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Settings;

/// <summary>The options of the inbox and outbox of one <c>DbContext</c>. They are validated at start.</summary>
public sealed class OutboxOptions
{
    /// <summary>
    /// How often the delivery loop reads the messages that are due, 10 ms to 1 min. Default 1 s: a delayed send is at most that late,
    /// and one indexed query a second costs little. A commit in this process starts the loop at once.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan Period { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long one send may take before it counts as failed, 100 ms to 5 min. Default 10 s: far more than a healthy broker needs. A
    /// process has a lease of twice this time on a message. Then the delivery loop of any process may take the message, so this also
    /// limits the delay after a crash.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How often a message is tried before it is parked, 1 to 100,000. Default 300: with pauses of 1 s, 2 s, 4 s, … 5 min this takes
    /// about a day. A parked message waits for an operator.
    /// </summary>
    [Range(1, 100_000)]
    public int MaxAttempts { get; set; } = 300;

    /// <summary>
    /// How long the inbox keeps a message, 1 min to 365 days. Default 1 day: at 100 messages a second these are about 9 million small
    /// rows. A later duplicate is consumed again, so this must be longer than a broker or an operator may hold messages back.
    /// </summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan InboxWindow { get; set; } = TimeSpan.FromDays(1);

    /// <summary>How long a message belongs to the process that has just taken it.</summary>
    internal TimeSpan Lease => 2 * SendTimeout;
}

/// <summary>Checks the ranges of <see cref="OutboxOptions"/>.</summary>
[OptionsValidator]
internal sealed partial class OutboxOptionsValidator : IValidateOptions<OutboxOptions>;
