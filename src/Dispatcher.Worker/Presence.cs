using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker;

/// <summary>Makes this instance known to the dispatcher: before it takes work, every few seconds while it serves, and when it stops. A pool is given as much as its known workers can run.</summary>
internal sealed partial class Presence(PoolParts parts)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(2);

    private readonly ILogger _log = parts.Logs.CreateLogger<Presence>();
    private readonly Lock _guard = new();

    /// <summary>How often it was not heard since it was heard last, and when that began. 0: it is heard.</summary>
    private (int Times, long Since) _unheard;

    /// <summary>Registers; tries until the dispatcher answers.</summary>
    /// <exception cref="InvalidOperationException">The pool needs a constraint enforced that this worker does not enforce: it must not serve it.</exception>
    /// <exception cref="WorkerNotAllowedException">Its outcomes would not be accepted.</exception>
    public async Task EnterAsync(CancellationToken stop)
    {
        var untilAnswered = WorkerRetry.UntilSuccess(parts.Clock, Unheard, fault => fault is not WorkerNotAllowedException);
        try
        {
            ThrowIfMissing(await untilAnswered.ExecuteAsync(async token => await SayAsync(parts.Options.Concurrency, token), stop));
        }
        catch (WorkerNotAllowedException refused)
        {
            Log.NotAllowed(_log, parts.Pool.Name, refused.Message);
            throw;
        }
    }

    /// <summary>Goes on saying so until it stops. What does not get through is said again; the dispatcher gives no more work to who is silent for 15 s.</summary>
    /// <exception cref="InvalidOperationException">The pool now needs a constraint enforced that this worker does not enforce: it must not serve it any longer.</exception>
    public async Task StayAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await parts.Dropped.ChangedAsync(Period, stop);
                ThrowIfMissing(await SayUnlessAwayAsync(parts.Options.Concurrency, stop));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // It stops.
        }
    }

    /// <summary>Takes no more work. One try: who is silent is given none either.</summary>
    public async Task LeaveAsync()
    {
        using var patience = new CancellationTokenSource(LastWord, parts.Clock);
        await SayUnlessAwayAsync(0, patience.Token);
    }

    private void ThrowIfMissing(IReadOnlyList<string> missing)
    {
        if (missing.Count > 0)
        {
            Log.Missing(_log, parts.Pool.Name, string.Join(", ", missing));
            throw new InvalidOperationException(
                $"Pool '{parts.Pool.Name}' needs {string.Join(", ", missing)} enforced, and this worker does not: let its handlers enforce it and say so with Enforces(…), or take it out of the pool's enforcers in topics.yaml."
            );
        }
    }

    private async Task<IReadOnlyList<string>> SayUnlessAwayAsync(int capacity, CancellationToken cancellationToken)
    {
        try
        {
            return await SayAsync(capacity, cancellationToken);
        }
#pragma warning disable CA1031 // Said again soon, or over.
        catch (Exception away)
#pragma warning restore CA1031
        {
            Unheard(away);
            return [];
        }
    }

    /// <summary>Logged when it begins; the end tells how often.</summary>
    private void Unheard(Exception reason)
    {
        lock (_guard)
        {
            _unheard = (_unheard.Times + 1, _unheard.Times == 0 ? parts.Clock.GetTimestamp() : _unheard.Since);
            if (_unheard.Times == 1)
            {
                Log.Failed(_log, parts.Pool.Name, reason.Message);
            }
        }
    }

    private void Heard()
    {
        lock (_guard)
        {
            if (_unheard.Times > 0)
            {
                Log.HeardAgain(_log, parts.Pool.Name, parts.Clock.GetElapsedTime(_unheard.Since).TotalSeconds, _unheard.Times);
                _unheard = default;
            }
        }
    }

    private async Task<IReadOnlyList<string>> SayAsync(int capacity, CancellationToken cancellationToken)
    {
        var request = new HeartbeatRequest
        {
            Worker = parts.Options.Instance,
            Runs = [],
            Registration = new WorkerRegistration
            {
                Pool = parts.Pool.Name,
                Version = parts.Options.Version,
                Topics = [.. parts.Pool.Handlers.Keys.Order(StringComparer.Ordinal)],
                Enforcers = [.. parts.Pool.Enforcers],
                Capacity = capacity,
                Shared = parts.Options.SharedCredential,
                ClockAheadMs = (long?)parts.Dispatcher.Ahead?.TotalMilliseconds,
                Dropped = parts.Dropped.Total,
                Dropping = parts.Dropped.Dropping,
            },
        };
        var answer = await parts.Dispatcher.MeasureAsync(() => parts.Transport.HeartbeatAsync(request, cancellationToken));
        Heard();
        return answer.MissingEnforcers;
    }

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.RegistrationFailed,
            LogLevel.Warning,
            "Pool {Pool}: the dispatcher was not told that this worker is there ({Error}). Tried again until it answers; further failures are counted, not logged"
        )]
        public static partial void Failed(ILogger logger, string pool, string error);

        [LoggerMessage(
            WorkerEventIds.RegistrationHeard,
            LogLevel.Information,
            "Pool {Pool}: the dispatcher answers again after {Seconds:F1} s; {Count} tries failed meanwhile"
        )]
        public static partial void HeardAgain(ILogger logger, string pool, double seconds, int count);

        [LoggerMessage(WorkerEventIds.NotAllowed, LogLevel.Error, "Pool {Pool} is not served: {Reason}")]
        public static partial void NotAllowed(ILogger logger, string pool, string reason);

        [LoggerMessage(
            WorkerEventIds.EnforcersMissing,
            LogLevel.Error,
            "Pool {Pool} needs {Constraints} enforced, which this worker does not: it does not serve it"
        )]
        public static partial void Missing(ILogger logger, string pool, string constraints);
    }
}
