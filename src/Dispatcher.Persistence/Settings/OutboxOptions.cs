using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence;

/// <summary>How the outbox of one <c>DbContext</c> sends and forgets. Checked at start.</summary>
public sealed class OutboxOptions
{
    /// <summary>
    /// How often the delivery loop looks for messages that are due, 10 ms to 1 min. Default 1 s: a delayed send is at most that late, and one indexed query a second
    /// costs nothing. A commit of this process wakes the loop at once.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.01", "00:01:00")]
    public TimeSpan Period { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How long one send may take before it counts as failed, 100 ms to 5 min. Default 10 s: far more than a broker that is well needs. Whoever sends has twice
    /// this time to himself; then the delivery loop of any process may take the message, so that this also bounds how long a crash delays one.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:05:00")]
    public TimeSpan SendTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How often a message is tried before it is parked, 1 to 100,000. Default 300: with pauses of 1 s, 2 s, 4 s, … 5 min about a day; then a person must look.</summary>
    [Range(1, 100_000)]
    public int MaxAttempts { get; set; } = 300;

    /// <summary>
    /// How long the inbox remembers a message, 1 min to 365 days. Default 1 day. A duplicate that comes later is consumed again, so it must be longer than a broker
    /// or an operator holds messages back; at 100 messages a second a day is about 9 million small rows.
    /// </summary>
    [Range(typeof(TimeSpan), "00:01:00", "365.00:00:00")]
    public TimeSpan InboxWindow { get; set; } = TimeSpan.FromDays(1);

    /// <summary>For how long a message is left to whoever has just taken it.</summary>
    internal TimeSpan Lease => 2 * SendTimeout;
}

/// <summary>The ranges written on <see cref="OutboxOptions"/>.</summary>
[OptionsValidator]
internal sealed partial class OutboxOptionsValidator : IValidateOptions<OutboxOptions>;
