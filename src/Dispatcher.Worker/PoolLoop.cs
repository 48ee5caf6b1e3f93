using Dispatcher.Worker.Claiming;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Outcomes;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.Running;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker;

/// <summary>
/// Serves one pool: consumes and claims (<see cref="ClaimLoop"/>), runs (<see cref="JobRunner"/>), extends the leases
/// (<see cref="RunHeartbeats"/>) and reports (<see cref="OutcomeSender"/>).
/// Stops in the opposite order, so that the heartbeats outlive the runs and the sender outlives the outcomes.
/// </summary>
internal sealed partial class PoolLoop : IDisposable
{
    /// <summary>How long a stopping worker tries to send its last outcomes.</summary>
    private static readonly TimeSpan FlushTime = TimeSpan.FromSeconds(5);

    private readonly PoolParts _parts;
    private readonly PoolEffectStore? _effects;
    private readonly ClaimedRuns _runs;
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
        _runs = new ClaimedRuns(parts.Clock);
        _outcomes = new OutcomeSender(parts);
        _heartbeats = new RunHeartbeats(parts, _runs);
        _presence = new Presence(parts);
        _claims = new ClaimLoop(parts, new JobRunner(parts, scopes, _effects), _runs, _outcomes);
    }

    /// <summary>Returns when the pool was stopped, its runs have ended and their outcomes are sent.</summary>
    /// <exception cref="WorkerNotAllowedException">The worker lacks a right that it needs to serve the pool.</exception>
    public async Task RunAsync(CancellationToken stopping)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var heartbeatsEnd = new CancellationTokenSource();
        using var abortSending = new CancellationTokenSource();
        if (!await PrepareAsync(stop.Token))
        {
            return;
        }

        Log.Serving(_log, _parts.Pool.Name, _parts.Options.Instance, _parts.Options.Concurrency);
        var consuming = _claims.ConsumeAsync(stop.Token);
        var claiming = _claims.RunAsync(stop.Token);
        var heartbeats = _heartbeats.RunAsync(heartbeatsEnd.Token);
        var sending = _outcomes.RunAsync(abortSending.Token);
        var registering = _presence.KeepRegisteredAsync(stop.Token);
        var grace = Task.CompletedTask;
        try
        {
            // A part that ends before the stop has failed. The exception is thrown below, and the host ends.
            await Task.WhenAny(consuming, claiming, heartbeats, sending, registering);
            // Counted from the stop on: the last claim may take long, and the host does not wait longer because of it.
            grace = Task.Delay(_parts.Options.StopGrace, _parts.Clock, CancellationToken.None);
            await stop.CancelAsync();
            await Task.WhenAll(consuming, claiming, registering);
        }
        finally
        {
            await _presence.DeregisterAsync();
            await EndRunsAsync(grace);
            await heartbeatsEnd.CancelAsync();
            await heartbeats;
            _outcomes.Complete();
            abortSending.CancelAfter(FlushTime);
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
            await CreateEffectStoreAsync(stop);
            await CheckRightsAsync(stop);
            await _presence.RegisterAsync(stop);
            return true;
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return false;
        }
    }

    // Before any run starts: a run whose outcome cannot be sent is lost.
    private async Task CheckRightsAsync(CancellationToken stop)
    {
        var untilAnswered = WorkerRetry.UntilSuccess(
            _parts.Clock,
            exception => Log.RightsNotChecked(_log, _parts.Pool.Name, exception.GetBaseException().Message),
            exception => exception is not WorkerNotAllowedException
        );
        await untilAnswered.ExecuteAsync(async token => await _parts.Transport.CheckAsync(token), stop);
    }

    private async Task CreateEffectStoreAsync(CancellationToken stop)
    {
        if (_effects is not null)
        {
            var untilAnswered = WorkerRetry.UntilSuccess(
                _parts.Clock,
                exception => Log.EffectStoreUnavailable(_log, _parts.Pool.Name, PostgresConnection.Reason(exception))
            );
            await untilAnswered.ExecuteAsync(async token => await _effects.CreateSchemaAsync(token), stop);
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
            "Pool {Pool}: cannot check whether outcomes can be sent; retrying ({Error})"
        )]
        public static partial void RightsNotChecked(ILogger logger, string pool, string error);

        [LoggerMessage(
            WorkerEventIds.EffectStoreUnavailable,
            LogLevel.Warning,
            "The effect store of pool {Pool} is unavailable; retrying, and no job is claimed before it answers ({Error})"
        )]
        public static partial void EffectStoreUnavailable(ILogger logger, string pool, string error);
    }
}
