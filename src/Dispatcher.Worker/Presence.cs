using Dispatcher.Contracts;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker;

/// <summary>Makes this instance known to the dispatcher: before it takes work, every few seconds while it serves, and when it stops. A pool is given as much as its known workers can run.</summary>
internal sealed partial class Presence(PoolParts parts)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LastWord = TimeSpan.FromSeconds(2);

    private readonly ILogger _log = parts.Logs.CreateLogger<Presence>();

    /// <summary>Registers; tries until the dispatcher answers.</summary>
    /// <exception cref="InvalidOperationException">The pool needs a constraint enforced that this worker does not enforce: it must not serve it.</exception>
    public async Task EnterAsync(CancellationToken stop)
    {
        var untilAnswered = Backoff.Forever(parts.Clock, exception => Log.Failed(_log, parts.Pool.Name, exception.Message));
        ThrowIfMissing(await untilAnswered.ExecuteAsync(async token => await SayAsync(parts.Options.Concurrency, token), stop));
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
                $"Pool '{parts.Pool.Name}' needs {string.Join(", ", missing)} enforced, and this worker does not: let its handlers enforce it and say so with Enforces(…), or take it out of the pool's enforcers in topics.yaml.");
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
            Log.Failed(_log, parts.Pool.Name, away.Message);
            return [];
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
        return (await parts.Dispatcher.MeasureAsync(() => parts.Transport.HeartbeatAsync(request, cancellationToken))).MissingEnforcers;
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.RegistrationFailed, LogLevel.Warning, "Pool {Pool}: the dispatcher was not told that this worker is there ({Error})")]
        public static partial void Failed(ILogger logger, string pool, string error);

        [LoggerMessage(WorkerEventIds.EnforcersMissing, LogLevel.Error, "Pool {Pool} needs {Constraints} enforced, which this worker does not: it does not serve it")]
        public static partial void Missing(ILogger logger, string pool, string constraints);
    }
}
