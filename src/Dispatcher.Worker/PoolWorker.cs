using Dispatcher.Worker.Pools;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Dispatcher.Worker;

/// <summary>The hosted service of one pool. Its parts are made when it runs, after all options were checked: made with the container, they would report the first bad one alone.</summary>
internal sealed class PoolWorker(PoolRegistration pool, IServiceProvider services, IHostApplicationLifetime lifetime) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // All pools of a process stop together, not one after the other as hosted services do.
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
        catch (Exception) when (!stop.IsCancellationRequested)
        {
            // The host stops in order, and whoever started it must see that it did not mean to.
            Environment.ExitCode = 1;
            throw;
        }
    }
}
