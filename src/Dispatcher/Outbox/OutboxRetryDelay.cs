namespace Dispatcher.Outbox;

/// <summary>The pause before an outbox message that the broker refused is sent again.</summary>
internal static class OutboxRetryDelay
{
    /// <summary>Maximum number of attempts: with the pauses below, about one day. After it, an operator has to act.</summary>
    private const int MaxAttempts = 300;

    private static readonly TimeSpan MaxDelay = TimeSpan.FromMinutes(5);

    /// <summary>1 s, 2 s, 4 s, … 5 min. Null after the last attempt: park the message.</summary>
    /// <param name="attempts">How often sending failed before.</param>
    public static TimeSpan? After(int attempts) =>
        attempts >= MaxAttempts ? null : TimeSpan.FromSeconds(Math.Min(MaxDelay.TotalSeconds, Math.Pow(2, Math.Min(attempts, 20))));
}
