using System.Diagnostics;
using Dispatcher.Contracts;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Running;

/// <summary>Runs one handler within its limits and reports how it ended.</summary>
internal sealed partial class JobRunner(PoolParts parts, IServiceScopeFactory scopes, PoolEffectStore? effects)
{
    private readonly ILogger _log = parts.Logs.CreateLogger<JobRunner>();

    /// <summary>Null: fenced or lapsed, so no outcome is reported.</summary>
    public async Task<AttemptOutcome?> RunAsync(ClaimedRun run)
    {
        var message = run.Message;
        _ = ActivityContext.TryParse(run.TraceParent, null, isRemote: true, out var trace);
        using var scope = Log.Scope(
            _log,
            message.JobId,
            message.Topic,
            message.Attempt,
            trace == default ? null : trace.TraceId.ToString()
        );
        using var activity = StartActivity(run, trace);
        var startedAt = parts.Dispatcher.GetUtcNow();
        parts.Metrics.RunStarted(message.Topic);
        // Not disposed: an abandoned handler may still hold its token.
        var stop = new CancellationTokenSource();

        var handler = InvokeAsync(run, stop.Token);
        await Task.WhenAny(handler, run.Stopped);
        if (!handler.IsCompleted)
        {
            Log.RunStopped(_log, message.JobId, message.Attempt, run.Reason);
            // Callbacks that the handler registered on its token run here and may block, so this is never awaited alone.
            var cancelling = stop.CancelAsync();
            await Task.WhenAny(Task.WhenAll(handler, cancelling), Task.Delay(ClaimedRun.EndGrace, parts.Clock, CancellationToken.None));
        }

        var reason = run.Close();
        var (result, exception) = handler.IsCompleted ? await handler : Abandon(run);
        var ending = EndingOf(run, result, exception, reason);
        Report(run, ending, exception, activity);
        return ending is null ? null : OutcomeOf(run, ending, startedAt);
    }

    /// <summary>
    /// The outcome of a run that was claimed but never started: returned, or why it was stopped. Null: fenced or lapsed, so no outcome is
    /// reported.
    /// </summary>
    public AttemptOutcome? NotStarted(ClaimedRun run)
    {
        if (run.Age >= run.Limit)
        {
            run.Stop(StopReason.Timeout);
        }

        var reason = run.Close();
        var ending = reason is StopReason.None or StopReason.WorkerStopping
            ? Ending.Returned
            : Ending.Of(null, null, reason, run.Limit, MaxOutput(run.Message));
        Log.RunNotStarted(_log, run.Message.JobId, run.Message.Attempt, reason, run.Age);
        return ending is null ? null : OutcomeOf(run, ending, parts.Dispatcher.GetUtcNow());
    }

    /// <summary>The outcome of a run whose result could not be reported. Null: fenced, so no outcome is reported.</summary>
    public AttemptOutcome? Unreportable(ClaimedRun run, Exception exception) =>
        run.Close() == StopReason.Fenced ? null : OutcomeOf(run, Ending.BadResult(exception), parts.Dispatcher.GetUtcNow());

    private Ending? EndingOf(ClaimedRun run, JobResult? result, Exception? exception, StopReason reason)
    {
        try
        {
            return Ending.Of(result, exception, reason, run.Limit, MaxOutput(run.Message));
        }
#pragma warning disable CA1031 // A handler may return JSON that can be read but not written.
        catch (Exception broken)
#pragma warning restore CA1031
        {
            return Ending.BadResult(broken);
        }
    }

    // Returns every exception, because an abandoned call is not awaited.
    private async Task<(JobResult? Result, Exception? Exception)> InvokeAsync(ClaimedRun run, CancellationToken stop)
    {
        // A handler that blocks before its first await must not block the claims of all others.
        await Task.Yield();
        try
        {
            if (!parts.Pool.Handlers.TryGetValue(run.Message.Topic, out var type))
            {
                throw JobFaultException.Terminal(
                    "no_handler",
                    $"Pool '{parts.Pool.Name}' of worker '{parts.Options.Instance}' has no handler for topic '{run.Message.Topic}'."
                );
            }

            if (effects is not null && run.Message.Attempt > 1)
            {
                await effects.FenceEarlierAttemptsAsync(OwnerOf(run), stop);
            }

            await using var scope = scopes.CreateAsyncScope();
            var handler = (IJobHandler)scope.ServiceProvider.GetRequiredService(type);
            return (await handler.RunAsync(JobRunOf(run), stop) ?? JobResult.Nothing, null);
        }
#pragma warning disable CA1031 // An exception of a handler is a fault of the job; rethrown, it would end the worker with all other runs.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            return (null, exception);
        }
    }

    private JobRun JobRunOf(ClaimedRun run)
    {
        var message = run.Message;
        return new JobRun
        {
            JobId = message.JobId,
            Attempt = message.Attempt,
            RunId = run.RunId,
            Pool = parts.Pool.Name,
            Topic = message.Topic,
            Principal = message.Principal,
            Labels = message.Labels,
            Payload = message.Payload,
            Constraints = message.Constraints ?? new Constraints(),
            MaxOutputBytes = MaxOutput(message),
            Idempotent = message.Idempotent,
            JobHash = message.JobHash,
            PolicyHash = message.PolicyHash,
            Effects = new RunEffects(effects, OwnerOf(run), message.Idempotent, () => run.MayHaveEffects),
        };
    }

    private static EffectOwner OwnerOf(ClaimedRun run) => new(run.Message.JobId, run.Message.Attempt, run.RunId) { RunLimit = run.Limit };

    private int MaxOutput(WorkMessage message) =>
        (int)Math.Min(parts.Options.MaxOutputBytes, message.Constraints?.MaxOutputBytes ?? parts.Options.MaxOutputBytes);

    private (JobResult?, Exception?) Abandon(ClaimedRun run)
    {
        parts.Metrics.Abandoned(run.Message.Topic);
        Log.HandlerAbandoned(_log, run.Message.JobId, run.Message.Attempt, ClaimedRun.EndGrace);
        return (null, null);
    }

    private void Report(ClaimedRun run, Ending? ending, Exception? exception, Activity? activity)
    {
        var (jobId, attempt) = (run.Message.JobId, run.Message.Attempt);
        var how = ending?.Fault?.Code ?? ending?.Kind.ToString() ?? "fenced";
        parts.Metrics.RunEnded(run.Message.Topic, ending is null ? "fenced" : ending.Kind.ToString(), run.Age);
        activity?.SetTag("dispatcher.run.ending", how);
        activity?.SetStatus(ending is { Kind: OutcomeKind.Succeeded } ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
        if (ending is null)
        {
            Log.RunUnreported(_log, jobId, attempt, run.Age, exception);
        }
        else if (exception is not null)
        {
            Log.RunFailed(_log, jobId, attempt, how, run.Age, exception);
        }
        else
        {
            Log.RunEnded(_log, jobId, attempt, how, run.Age);
        }
    }

    private AttemptOutcome OutcomeOf(ClaimedRun run, Ending ending, DateTimeOffset startedAt) =>
        new()
        {
            JobId = run.Message.JobId,
            Attempt = run.Message.Attempt,
            RunId = run.RunId,
            Worker = parts.Options.Instance,
            PermitId = run.PermitId,
            Kind = ending.Kind,
            Result = ending.Result,
            Fault = ending.Fault,
            StartedAt = startedAt,
            EndedAt = parts.Dispatcher.GetUtcNow(),
        };

    private Activity? StartActivity(ClaimedRun run, ActivityContext parent)
    {
        if (!WorkerMetrics.Traces.HasListeners())
        {
            return null;
        }

        var queue = Queues.Work(parts.Pool.Name);
        return WorkerMetrics
            .Traces.StartActivity($"process {queue}", ActivityKind.Consumer, parent)
            ?.SetTag("messaging.system", parts.Options.RabbitMq is null ? "in_memory" : "rabbitmq")
            .SetTag("messaging.operation.type", "process")
            .SetTag("messaging.operation.name", "process")
            .SetTag("messaging.destination.name", queue)
            .SetTag("messaging.message.id", run.PermitId.ToString())
            .SetTag("dispatcher.job.id", run.Message.JobId.ToString())
            .SetTag("dispatcher.job.topic", run.Message.Topic)
            .SetTag("dispatcher.job.attempt", run.Message.Attempt);
    }

    private static partial class Log
    {
        public static readonly Func<ILogger, Guid, string, int, string?, IDisposable?> Scope = LoggerMessage.DefineScope<
            Guid,
            string,
            int,
            string?
        >("job {JobId} {Topic} attempt {Attempt} trace {TraceId}");

        [LoggerMessage(WorkerEventIds.RunEnded, LogLevel.Debug, "Job {JobId}, attempt {Attempt}: run ended: {Ending} after {Took}")]
        public static partial void RunEnded(ILogger logger, Guid jobId, int attempt, string ending, TimeSpan took);

        [LoggerMessage(WorkerEventIds.RunFailed, LogLevel.Warning, "Job {JobId}, attempt {Attempt}: run failed: {Ending} after {Took}")]
        public static partial void RunFailed(ILogger logger, Guid jobId, int attempt, string ending, TimeSpan took, Exception exception);

        [LoggerMessage(
            WorkerEventIds.RunUnreported,
            LogLevel.Warning,
            "Job {JobId}, attempt {Attempt}: run ended: fenced after {Took}, and not reported: it lost its lease, "
                + "or its effect store has seen a later attempt"
        )]
        public static partial void RunUnreported(ILogger logger, Guid jobId, int attempt, TimeSpan took, Exception? exception);

        [LoggerMessage(
            WorkerEventIds.RunNotStarted,
            LogLevel.Information,
            "Job {JobId}, attempt {Attempt}: claimed, and not started within {Took} (stopped: {Reason})"
        )]
        public static partial void RunNotStarted(ILogger logger, Guid jobId, int attempt, StopReason reason, TimeSpan took);

        [LoggerMessage(WorkerEventIds.RunStopped, LogLevel.Information, "Job {JobId}, attempt {Attempt}: run stopped: {Reason}")]
        public static partial void RunStopped(ILogger logger, Guid jobId, int attempt, StopReason reason);

        [LoggerMessage(
            WorkerEventIds.HandlerAbandoned,
            LogLevel.Warning,
            "Job {JobId}, attempt {Attempt}: the handler did not end within {Grace} of the stop; it is abandoned "
                + "and may still use memory or a thread"
        )]
        public static partial void HandlerAbandoned(ILogger logger, Guid jobId, int attempt, TimeSpan grace);
    }
}
