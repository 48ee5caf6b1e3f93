using Dispatcher.Worker.Claiming;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Outcomes;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker;

/// <summary>
/// Serves one pool: consume and claim (<see cref="ClaimLoop"/>), run (<see cref="JobRunner"/>), keep the leases (<see cref="RunHeartbeats"/>), report (<see cref="OutcomeSender"/>).
/// Stops in the opposite order, so that a run never outlives its heartbeats and an outcome never its sender.
/// </summary>
internal sealed partial class PoolLoop : IDisposable
{
    /// <summary>How long a stopping worker tries to get its last outcomes accepted.</summary>
    private static readonly TimeSpan FlushTime = TimeSpan.FromSeconds(5);

    private readonly PoolParts _parts;
    private readonly PoolEffectStore? _effects;
    private readonly ClaimedRuns _runs = new();
    private readonly OutcomeSender _outcomes;
    private readonly RunHeartbeats _heartbeats;
    private readonly Presence _presence;
    private readonly ClaimLoop _claims;
    private readonly ILogger _log;

    public PoolLoop(PoolParts parts, IServiceScopeFactory scopes)
    {
        _parts = parts;
        _log = parts.Logs.CreateLogger<PoolLoop>();
        _effects = parts.Options.EffectStore is { } store
            ? PoolEffectStore.Open(store, parts.Clock, parts.Logs.CreateLogger<PoolEffectStore>())
            : null;
        _outcomes = new OutcomeSender(parts);
        _heartbeats = new RunHeartbeats(parts, _runs);
        _presence = new Presence(parts);
        _claims = new ClaimLoop(parts, new JobRunner(parts, scopes, _effects), _runs, _outcomes);
    }

    /// <summary>Returns when the pool was told to stop, its runs have ended and their outcomes are sent.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var heartbeatsEnd = new CancellationTokenSource();
        using var giveUp = new CancellationTokenSource();
        if (!await PrepareAsync(stop.Token))
        {
            return;
        }

        Log.Serving(_log, _parts.Pool.Name, _parts.Options.Instance, _parts.Options.Concurrency);
        var consuming = _claims.ConsumeAsync(stop.Token);
        var claiming = _claims.RunAsync(stop.Token);
        var beating = _heartbeats.RunAsync(heartbeatsEnd.Token);
        var sending = _outcomes.RunAsync(giveUp.Token);
        var present = _presence.StayAsync(stop.Token);
        var grace = Task.CompletedTask;
        try
        {
            // One that ends before the stop has failed: thrown below, and the host ends rather than serve half.
            await Task.WhenAny(consuming, claiming, beating, sending, present);
            // From the stop on: the last claim may take long, and the host does not wait longer for that.
            grace = Task.Delay(_parts.Options.StopGrace, _parts.Clock, CancellationToken.None);
            await stop.CancelAsync();
            await Task.WhenAll(consuming, claiming, present);
        }
        finally
        {
            await _presence.LeaveAsync();
            await EndRunsAsync(grace);
            await heartbeatsEnd.CancelAsync();
            await beating;
            _outcomes.Complete();
            giveUp.CancelAfter(FlushTime);
            await sending;
        }
    }

    public void Dispose()
    {
        _claims.Dispose();
        _runs.Dispose();
        _effects?.Dispose();
    }

    private async Task<bool> PrepareAsync(CancellationToken stop)
    {
        try
        {
            await MakeEffectStoreAsync(stop);
            await CheckRightsAsync(stop);
            await _presence.EnterAsync(stop);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    // Before anything runs: a run whose outcome cannot be sent is lost, whatever it did.
    private async Task CheckRightsAsync(CancellationToken stop)
    {
        var untilThere = WorkerRetry.UntilSuccess(
            _parts.Clock,
            exception => Log.NotChecked(_log, _parts.Pool.Name, exception.GetBaseException().Message),
            exception => exception is not WorkerNotAllowedException
        );
        try
        {
            await untilThere.ExecuteAsync(async token => await _parts.Transport.CheckAsync(token), stop);
        }
        catch (WorkerNotAllowedException refused)
        {
            Log.NotAllowed(_log, _parts.Pool.Name, refused.Message);
            throw;
        }
    }

    private async Task MakeEffectStoreAsync(CancellationToken stop)
    {
        if (_effects is not null)
        {
            var untilThere = WorkerRetry.UntilSuccess(
                _parts.Clock,
                exception => Log.EffectStoreAway(_log, _parts.Pool.Name, exception.Message)
            );
            await untilThere.ExecuteAsync(async token => await _effects.CreateSchemaAsync(token), stop);
        }
    }

    private async Task EndRunsAsync(Task grace)
    {
        await _claims.ReturnWaitingAsync();
        Log.Stopping(_log, _parts.Pool.Name, _runs.All.Count, _parts.Options.StopGrace);
        var ended = _runs.AllEnded();
        await Task.WhenAny(ended, grace);
        foreach (var run in _runs.All)
        {
            run.Stop(StopReason.WorkerStopping);
        }

        await ended;
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.Serving, LogLevel.Information, "Serving pool {Pool} as {Instance}, {Concurrency} runs at a time")]
        public static partial void Serving(ILogger logger, string pool, string instance, int concurrency);

        [LoggerMessage(WorkerEventIds.Stopping, LogLevel.Information, "Pool {Pool} stops; {Runs} runs have {Grace} to end")]
        public static partial void Stopping(ILogger logger, string pool, int runs, TimeSpan grace);

        [LoggerMessage(
            WorkerEventIds.RightsNotChecked,
            LogLevel.Warning,
            "Pool {Pool}: cannot check whether outcomes can be sent, trying again ({Error})"
        )]
        public static partial void NotChecked(ILogger logger, string pool, string error);

        [LoggerMessage(WorkerEventIds.NotAllowed, LogLevel.Error, "Pool {Pool} is not served: {Reason}")]
        public static partial void NotAllowed(ILogger logger, string pool, string reason);

        [LoggerMessage(
            WorkerEventIds.EffectStoreAway,
            LogLevel.Warning,
            "The effect store of pool {Pool} is away, trying again; nothing is claimed before ({Error})"
        )]
        public static partial void EffectStoreAway(ILogger logger, string pool, string error);
    }
}
