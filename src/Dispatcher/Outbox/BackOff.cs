namespace Dispatcher.Outbox;

/// <summary>When a message that could not be sent is tried again.</summary>
internal static class BackOff
{
    /// <summary>With the pauses below, about a day of trying; then a person must look.</summary>
    private const int MostAttempts = 300;

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>1 s, 2 s, 4 s, … 5 min; null after the last: park it.</summary>
    public static TimeSpan? After(int attempts) =>
        attempts >= MostAttempts ? null : TimeSpan.FromSeconds(Math.Min(Longest.TotalSeconds, Math.Pow(2, Math.Min(attempts, 20))));
}
