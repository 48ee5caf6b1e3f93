using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Claiming;

/// <summary>Consumes the work of a pool, except while it is paused: what is held here no other worker can take.</summary>
internal sealed partial class PoolConsumer(PoolParts parts, Func<Delivery, Task> onDelivery) : IDisposable
{
    private readonly ILogger _log = parts.Logs.CreateLogger<PoolConsumer>();

    // Held by who consumes, or by who has paused that.
    private readonly SemaphoreSlim _turn = new(1);
    private CancellationTokenSource _pause = new();
    private CancellationTokenSource _suspension = new();
    private int _prefetch = 2 * parts.Options.Concurrency;

    /// <summary>Returns when it is told to stop; sooner only if the transport fails to go on.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            do
            {
                await WhileSuspendedAsync(stopping);
                await _turn.WaitAsync(stopping);
            } while (await ConsumeAsync(stopping));
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopped while it was paused.
        }
    }

    /// <summary>
    /// Ends the consuming for <see cref="DroppedDeliveries.Pause"/>: what is consumed is of no use. Does not wait for its end.
    /// </summary>
    public Task SuspendAsync() => _suspension.CancelAsync();

    /// <summary>Returns when nothing more is delivered.</summary>
    public async Task PauseAsync(CancellationToken stopping)
    {
        // In line before the consuming ends, which else would take the next turn itself.
        var turn = _turn.WaitAsync(stopping);
        await _pause.CancelAsync();
        await turn;
    }

    /// <summary>Ends a pause.</summary>
    /// <param name="slots">So many deliveries at a time, as long as it is not known how long they take. Null: twice what can run, so that a free slot finds the next one here.</param>
    public void Resume(int? slots)
    {
        _prefetch = slots ?? 2 * parts.Options.Concurrency;
        _pause.Dispose();
        _pause = new CancellationTokenSource();
        _turn.Release();
    }

    public void Dispose()
    {
        _turn.Dispose();
        _pause.Dispose();
        _suspension.Dispose();
    }

    private async Task WhileSuspendedAsync(CancellationToken stopping)
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

    // Whether it was only paused or suspended.
    private async Task<bool> ConsumeAsync(CancellationToken stopping)
    {
        try
        {
            using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping, _pause.Token, _suspension.Token);
            await parts.Transport.ConsumeAsync(parts.Pool.Name, _prefetch, onDelivery, end.Token);
            return _pause.IsCancellationRequested || _suspension.IsCancellationRequested;
        }
        finally
        {
            _turn.Release();
        }
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.ConsumingAgain, LogLevel.Information, "Pool {Pool}: this worker consumes again")]
        public static partial void Again(ILogger logger, string pool);
    }
}
