using Dispatcher.Worker.Pools;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Dispatcher.Worker;

/// <summary>
/// The hosted service of one pool. It creates the pool's parts when it runs, after all options were validated. Created with the
/// container, they would report only the first wrong option.
/// </summary>
internal sealed partial class PoolWorker(PoolRegistration pool, IServiceProvider services, IHostApplicationLifetime lifetime)
    : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // All pools of a process stop together. The host alone would stop one hosted service after the other.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            var parts = new PoolParts(
                pool,
                services.GetRequiredService<IOptionsMonitor<WorkerOptions>>().Get(pool.Name),
                services.GetService<IWorkerTransport>() ?? services.GetRequiredKeyedService<RabbitMq.RabbitMqWorkerTransport>(pool.Name),
                services.GetRequiredService<TimeProvider>(),
                services.GetRequiredService<WorkerMetrics>(),
                services.GetRequiredService<ILoggerFactory>()
            );
            using var dropped = parts.Dropped;
            using var loop = new PoolLoop(parts, services.GetRequiredService<IServiceScopeFactory>());
            await loop.RunAsync(stop.Token);
        }
        catch (WorkerNotAllowedException refused)
        {
            // Not rethrown: the host would log it again with two stacks, and they would hide what to grant.
            Log.NotAllowed(services.GetRequiredService<ILogger<PoolWorker>>(), pool.Name, refused.Message);
            Environment.ExitCode = 1;
            lifetime.StopApplication();
        }
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            // The host stops in order, and the exit code shows its parent process that this stop is a failure.
            Environment.ExitCode = 1;
            throw;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.NotAllowed, LogLevel.Error, "Pool {Pool} is not served, and the worker ends: {Reason}")]
        public static partial void NotAllowed(ILogger logger, string pool, string reason);
    }
}
