namespace Dispatcher.Persistence.Sending;

/// <summary>The pause before a failed send is tried again.</summary>
internal static class BackOff
{
    private static readonly TimeSpan MaxPause = TimeSpan.FromMinutes(5);

    /// <summary>1 s, 2 s, 4 s, … 5 min after the first, second, third … failure. Null after the last one: park the message.</summary>
    public static TimeSpan? After(int failures, int maxAttempts) =>
        failures >= maxAttempts ? null : TimeSpan.FromSeconds(Math.Min(MaxPause.TotalSeconds, Math.Pow(2, Math.Min(failures - 1, 20))));
}
