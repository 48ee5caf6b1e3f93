namespace Dispatcher.Base;

/// <summary>
/// Runs one round in each period until the process stops. A failed round does not end the loop: the first failure is logged, and the next
/// round runs in the next period.
/// </summary>
internal abstract partial class Loop(TimeSpan period, TimeProvider time, ILogger logger) : BackgroundService
{
    private bool _failing;

    protected TimeProvider Time { get; } = time;

    /// <summary>A longer round is cancelled. Default: no limit.</summary>
    protected virtual TimeSpan MaxRound => Timeout.InfiniteTimeSpan;

    /// <summary>One round. Tests call it without the loop.</summary>
    public abstract Task OnceAsync(CancellationToken cancellationToken);

    public sealed override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);

        // The host also stops the services that it did not start, because the start of an earlier one failed.
        if (ExecuteTask is not null)
        {
            await StoppedAsync(cancellationToken);
        }
    }

    /// <summary>Called after the last round of a loop that was started. Must not throw.</summary>
    protected virtual Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(period, Time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                using var round = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                round.CancelAfter(MaxRound);
                await OnceAsync(round.Token);
                Report(null);
            }
#pragma warning disable CA1031 // The loop must continue after any fault of a round.
            catch (Exception reason) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Report(reason);
            }
        }
    }

    /// <summary>
    /// Logs the first failed round and the first that succeeds again. An outage of the store fails all loops at the same time;
    /// <c>StoreHealth</c> logs it once for all of them.
    /// </summary>
    private void Report(Exception? reason)
    {
        if (reason?.IsOutage() == true)
        {
            Log.StoreUnavailable(logger, GetType().Name, reason.Message);
            return;
        }

        if (reason is not null && !_failing)
        {
            Log.Failing(logger, GetType().Name, period, reason);
        }
        else if (reason is null && _failing)
        {
            Log.Recovered(logger, GetType().Name);
        }

        _failing = reason is not null;
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.LoopFailing, LogLevel.Warning, "{Loop} failed; it is retried every {Period}")]
        public static partial void Failing(ILogger logger, string loop, TimeSpan period, Exception reason);

        [LoggerMessage(EventIds.LoopStoreUnavailable, LogLevel.Debug, "{Loop} failed, because the database is unavailable: {Reason}")]
        public static partial void StoreUnavailable(ILogger logger, string loop, string reason);

        [LoggerMessage(EventIds.LoopRecovered, LogLevel.Information, "{Loop} works again")]
        public static partial void Recovered(ILogger logger, string loop);
    }
}
