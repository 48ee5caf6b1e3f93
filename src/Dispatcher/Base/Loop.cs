namespace Dispatcher.Base;

/// <summary>Does one thing again and again. A round that fails is told once, and the next one comes; the loop itself only ends with the process.</summary>
internal abstract partial class Loop(TimeSpan period, TimeProvider time, ILogger logger) : BackgroundService
{
    private bool _failing;

    protected TimeProvider Time { get; } = time;

    /// <summary>A round that takes longer is cancelled. Default: it may take as long as it takes.</summary>
    protected virtual TimeSpan LongestRound => Timeout.InfiniteTimeSpan;

    /// <summary>One round; may be called alone.</summary>
    public abstract Task OnceAsync(CancellationToken cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(period, Time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                using var round = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                round.CancelAfter(LongestRound);
                await OnceAsync(round.Token);
                Tell(null);
            }
#pragma warning disable CA1031 // The loop must live, whatever one round ran into.
            catch (Exception reason) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Tell(reason);
            }
        }
    }

    /// <summary>
    /// Once when it begins to fail and once when it is over, not every round. An outage of the store fails all loops at once, and <c>StoreHealth</c>
    /// reports it for all.
    /// </summary>
    private void Tell(Exception? reason)
    {
        if (reason?.IsOutage() == true)
        {
            Log.StoreAway(logger, GetType().Name, reason.Message);
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
        [LoggerMessage(EventIds.LoopFailing, LogLevel.Warning, "{Loop} could not do its work; it tries again every {Period}")]
        public static partial void Failing(ILogger logger, string loop, TimeSpan period, Exception reason);

        [LoggerMessage(EventIds.LoopStoreAway, LogLevel.Debug, "{Loop} could not do its work, as the database cannot be used: {Reason}")]
        public static partial void StoreAway(ILogger logger, string loop, string reason);

        [LoggerMessage(EventIds.LoopRecovered, LogLevel.Information, "{Loop} works again")]
        public static partial void Recovered(ILogger logger, string loop);
    }
}
