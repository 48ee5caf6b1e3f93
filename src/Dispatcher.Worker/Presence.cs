using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker;

/// <summary>
/// Registers this instance with the dispatcher: before it takes work, every few seconds while it serves, and when it stops. The
/// dispatcher gives a pool as many jobs as its registered workers can run.
/// </summary>
internal sealed partial class Presence(PoolParts parts)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LeaveTime = TimeSpan.FromSeconds(2);

    private readonly ILogger _log = parts.Logs.CreateLogger<Presence>();
    private readonly Lock _lock = new();

    /// <summary>How many registrations have failed in a row, and when the first of them did. 0: the last one succeeded.</summary>
    private (int Count, long Since) _failures;

    /// <summary>Registers; retries until the dispatcher answers.</summary>
    /// <exception cref="InvalidOperationException">The worker does not enforce a constraint that the pool requires.</exception>
    /// <exception cref="WorkerNotAllowedException">The dispatcher would not accept the worker's outcomes.</exception>
    public async Task RegisterAsync(CancellationToken stop)
    {
        var untilAnswered = WorkerRetry.UntilSuccess(parts.Clock, NoteFailure, fault => fault is not WorkerNotAllowedException);
        ThrowIfMissing(await untilAnswered.ExecuteAsync(async token => await SendAsync(parts.Options.Concurrency, token), stop));
    }

    /// <summary>
    /// Repeats the registration until the worker stops. The dispatcher gives no more work to a worker that it has not heard for 15 s.
    /// </summary>
    /// <exception cref="InvalidOperationException">The pool now requires a constraint that the worker does not enforce.</exception>
    public async Task KeepRegisteredAsync(CancellationToken stop)
    {
        try
        {
            while (true)
            {
                await parts.Dropped.ChangedAsync(Period, stop);
                ThrowIfMissing(await TrySendAsync(parts.Options.Concurrency, stop));
            }
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            // The worker stops.
        }
    }

    /// <summary>Registers with a capacity of 0. Tries once: without it the registration expires, with the same result.</summary>
    public async Task DeregisterAsync()
    {
        using var timeout = new CancellationTokenSource(LeaveTime, parts.Clock);
        await TrySendAsync(0, timeout.Token);
    }

    private void ThrowIfMissing(IReadOnlyList<string> missing)
    {
        if (missing.Count > 0)
        {
            Log.Missing(_log, parts.Pool.Name, string.Join(", ", missing));
            throw new InvalidOperationException(
                $"Pool '{parts.Pool.Name}' requires {string.Join(", ", missing)}, which this worker does not enforce. Let "
                    + "its handlers enforce it and declare that with Enforces(…), or remove it from the pool's enforcers in topics.yaml."
            );
        }
    }

    private async Task<IReadOnlyList<string>> TrySendAsync(int capacity, CancellationToken cancellationToken)
    {
        try
        {
            return await SendAsync(capacity, cancellationToken);
        }
#pragma warning disable CA1031 // The registration is repeated soon, or the worker ends.
        catch (Exception failure)
#pragma warning restore CA1031
        {
            NoteFailure(failure);
            return [];
        }
    }

    /// <summary>Logs the first failure of a row; the log of its end states the number.</summary>
    private void NoteFailure(Exception reason)
    {
        lock (_lock)
        {
            _failures = (_failures.Count + 1, _failures.Count == 0 ? parts.Clock.GetTimestamp() : _failures.Since);
            if (_failures.Count == 1)
            {
                Log.Failed(_log, parts.Pool.Name, reason.GetBaseException().Message);
            }
        }
    }

    private void NoteSuccess()
    {
        lock (_lock)
        {
            if (_failures.Count > 0)
            {
                Log.AnswersAgain(_log, parts.Pool.Name, parts.Clock.GetElapsedTime(_failures.Since).TotalSeconds, _failures.Count);
                _failures = default;
            }
        }
    }

    private async Task<IReadOnlyList<string>> SendAsync(int capacity, CancellationToken cancellationToken)
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
        NoteSuccess();
        return answer.MissingEnforcers;
    }

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.RegistrationFailed,
            LogLevel.Warning,
            "Pool {Pool}: failed to register with the dispatcher ({Error}). The worker retries until it answers; "
                + "further failures are counted, not logged"
        )]
        public static partial void Failed(ILogger logger, string pool, string error);

        [LoggerMessage(
            WorkerEventIds.RegistrationAnswered,
            LogLevel.Information,
            "Pool {Pool}: the dispatcher answers again after {Seconds:F1} s; {Count} registrations failed in between"
        )]
        public static partial void AnswersAgain(ILogger logger, string pool, double seconds, int count);

        [LoggerMessage(
            WorkerEventIds.EnforcersMissing,
            LogLevel.Error,
            "Pool {Pool} requires {Constraints}, which this worker does not enforce; the worker ends"
        )]
        public static partial void Missing(ILogger logger, string pool, string constraints);
    }
}
