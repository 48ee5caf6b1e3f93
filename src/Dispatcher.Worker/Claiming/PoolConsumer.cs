using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Claiming;

/// <summary>Consumes the work of a pool, except while it is paused: no other worker can take a delivery that is held here.</summary>
internal sealed partial class PoolConsumer(PoolParts parts, Prefetch prefetch, Func<Delivery, Task> onDelivery) : IDisposable
{
    private readonly ILogger _log = parts.Logs.CreateLogger<PoolConsumer>();

    // Held while the pool is consumed and while the consumer is paused.
    private readonly SemaphoreSlim _consuming = new(1);
    private CancellationTokenSource _pause = new();
    private CancellationTokenSource _suspension = new();

    /// <summary>Returns at the stop. Throws when the transport fails for good.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            do
            {
                await WaitWhileSuspendedAsync(stopping);
                await _consuming.WaitAsync(stopping);
            } while (await ConsumeAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped while it was paused.
        }
    }

    /// <summary>Stops consuming for <see cref="DroppedDeliveries.Pause"/>. Returns before the consumer has stopped.</summary>
    public Task SuspendAsync() => _suspension.CancelAsync();

    /// <summary>Returns when nothing more is delivered.</summary>
    public async Task PauseAsync(CancellationToken stopping)
    {
        // Queues for the lock before consuming ends; otherwise RunAsync would take the lock again first.
        var paused = _consuming.WaitAsync(stopping);
        await _pause.CancelAsync();
        await paused;
    }

    /// <summary>Ends a pause. The prefetch may have changed meanwhile.</summary>
    public void Resume()
    {
        _pause.Dispose();
        _pause = new CancellationTokenSource();
        _consuming.Release();
    }

    public void Dispose()
    {
        _consuming.Dispose();
        _pause.Dispose();
        _suspension.Dispose();
    }

    private async Task WaitWhileSuspendedAsync(CancellationToken stopping)
    {
        if (_suspension.IsCancellationRequested)
        {
            await Task.Delay(DroppedDeliveries.Pause, parts.Clock, stopping);
            _suspension.Dispose();
            _suspension = new CancellationTokenSource();
            parts.Dropped.Resume();
            Log.Again(_log, parts.Pool.Name);
        }
    }

    // True: the consuming was paused or suspended, and continues later.
    private async Task<bool> ConsumeAsync(CancellationToken stopping)
    {
        try
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping, _pause.Token, _suspension.Token);
            await parts.Transport.ConsumeAsync(parts.Pool.Name, prefetch.Current, onDelivery, end.Token);
            return _pause.IsCancellationRequested || _suspension.IsCancellationRequested;
        }
        finally
        {
            _consuming.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.ConsumingAgain, LogLevel.Information, "Pool {Pool}: this worker consumes again")]
        public static partial void Again(ILogger logger, string pool);
    }
}
