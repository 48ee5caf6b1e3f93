using Dispatcher.Storing;

namespace Dispatcher.Relaying;

/// <summary>Sends what the relay did not: rows of processes that died, and rows whose sending failed before.</summary>
internal sealed partial class OutboxSweeper(IStore store, Relay relay, TimeProvider time, ILogger<OutboxSweeper> logger) : BackgroundService
{
    private const int Batch = 500;
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Postpone = TimeSpan.FromSeconds(10);

    /// <summary>Sends one batch of what is due; answers how many it took.</summary>
    public async Task<int> SweepOnceAsync(CancellationToken cancellationToken)
    {
        var due = await store.TakeOutboxAsync(Batch, Postpone, cancellationToken);
        await relay.SendAsync(due, cancellationToken);
        return due.Count;
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await SweepOnceAsync(stoppingToken) == Batch)
                {
                }
            }
#pragma warning disable CA1031 // The loop must live, whatever one round ran into.
            catch (Exception reason) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.Away(logger, reason);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.OutboxSweepFailed, LogLevel.Warning, "The outbox could not be swept; it is tried again in a second")]
        public static partial void Away(ILogger logger, Exception reason);
    }
}
