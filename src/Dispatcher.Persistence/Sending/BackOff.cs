namespace Dispatcher.Persistence.Sending;

/// <summary>When a message that could not be sent is tried again.</summary>
internal static class BackOff
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>1 s, 2 s, 4 s, … 5 min after the first, second, third … failure; null after the last: park it.</summary>
    public static TimeSpan? After(int failures, int mostAttempts) =>
        failures >= mostAttempts ? null : TimeSpan.FromSeconds(Math.Min(Longest.TotalSeconds, Math.Pow(2, Math.Min(failures - 1, 20))));
}
