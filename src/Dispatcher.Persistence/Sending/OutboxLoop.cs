using Dispatcher.Persistence.Settings;

namespace Dispatcher.Persistence.Sending;

/// <summary>
/// Runs one task on each signal and once a period, and repeats it while there is more to do. A failure is logged once, when it begins, and
/// the loop continues with the next round.
/// </summary>
internal abstract partial class OutboxLoop(Signal signal, TimeSpan period, TimeProvider clock, ILogger logger) : BackgroundService
{
    private bool _failing;

    /// <summary>Runs one round. Tests may call it without the loop. True: there may be more to do at once.</summary>
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

            Report(null);
        }
#pragma warning disable CA1031 // The loop must survive any failure of one round.
        catch (Exception reason) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            Report(reason);
        }
    }

    private void Report(Exception? reason)
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
        [LoggerMessage(PersistenceEventIds.LoopFailing, LogLevel.Warning, "{Loop} failed; it tries again every {Period}")]
        public static partial void Failing(ILogger logger, string loop, TimeSpan period, Exception reason);

        [LoggerMessage(PersistenceEventIds.LoopRecovered, LogLevel.Information, "{Loop} works again")]
        public static partial void Recovered(ILogger logger, string loop);
    }
}
