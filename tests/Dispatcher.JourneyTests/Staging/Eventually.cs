using System.Diagnostics;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Waits until a condition holds, and names the condition that did not.</summary>
internal static class Eventually
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    public static async Task IsAsync(Func<Task<bool>> condition, Func<string> what, TimeSpan within)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            if (watch.Elapsed > within)
            {
                Assert.Fail($"Not within {within}: {what()}");
            }

            await Task.Delay(Pause, TestContext.Current.CancellationToken);
        }
    }

    public static Task IsAsync(Func<bool> condition, string what, int seconds = 30) =>
        IsAsync(() => Task.FromResult(condition()), () => what, TimeSpan.FromSeconds(seconds));
}
