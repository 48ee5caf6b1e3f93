namespace Dispatcher.Worker.Pools;

/// <summary>A wait for a semaphore whose time limit is measured by the worker's clock. The semaphore itself knows only real time.</summary>
internal static class TimedWait
{
    /// <summary>True: the semaphore was entered. False: the time is over.</summary>
    /// <param name="semaphore">Entered without a wait when it is free, also when <paramref name="atMost"/> is zero.</param>
    /// <param name="atMost">May be <see cref="Timeout.InfiniteTimeSpan"/>.</param>
    /// <param name="clock">Measures <paramref name="atMost"/>.</param>
    /// <param name="cancellationToken">Ends the wait with an <see cref="OperationCanceledException"/>.</param>
    public static async Task<bool> WaitAsync(
        this SemaphoreSlim semaphore,
        TimeSpan atMost,
        TimeProvider clock,
        CancellationToken cancellationToken
    )
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (semaphore.Wait(0, CancellationToken.None))
        {
            return true;
        }

        using var time = new CancellationTokenSource(atMost, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            await semaphore.WaitAsync(either.Token);
            return true;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return false;
        }
    }
}
