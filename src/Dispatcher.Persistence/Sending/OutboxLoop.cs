namespace Dispatcher.Persistence.Sending;

/// <summary>Does one thing when woken and once a period, again as long as there is more of it. A round that fails is told once, and the next one comes.</summary>
internal abstract partial class OutboxLoop(Signal signal, TimeSpan period, TimeProvider clock, ILogger logger) : BackgroundService
{
    private bool _failing;

    /// <summary>One round; may be called alone. True: there may be more to do at once.</summary>
    public abstract Task<bool> OnceAsync(CancellationToken cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await using var timer = clock.CreateTimer(_ => signal.Set(), null, period, period);
        while (!stoppingToken.IsCancellationRequested)
        {
            await signal.WaitAsync(stoppingToken);
            await RoundsAsync(stoppingToken);
        }
    }

    private async Task RoundsAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (await OnceAsync(stoppingToken)) { }

            Tell(null);
        }
#pragma warning disable CA1031 // The loop must live, whatever one round ran into.
        catch (Exception reason) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            Tell(reason);
        }
    }

    private void Tell(Exception? reason)
    {
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
        [LoggerMessage(PersistenceEventIds.LoopFailing, LogLevel.Warning, "{Loop} could not do its work; it tries again every {Period}")]
        public static partial void Failing(ILogger logger, string loop, TimeSpan period, Exception reason);

        [LoggerMessage(PersistenceEventIds.LoopRecovered, LogLevel.Information, "{Loop} works again")]
        public static partial void Recovered(ILogger logger, string loop);
    }
}
