using System.Text.Json;
using System.Threading.Channels;
using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.Running;
using Microsoft.Extensions.Logging;
using Polly;

namespace Dispatcher.Worker.Outcomes;

/// <summary>
/// Sends outcomes in batches: each batch takes what is waiting, and no outcome waits for more to come. A batch that was not accepted is
/// sent again until it is. No outcome is dropped, and no new work is claimed while too many wait.
/// </summary>
internal sealed partial class OutcomeSender
{
    private const int MaxBatch = 256;
    private const int MaxBatchBytes = 1024 * 1024 - 1024;
    private const int MaxWaiting = 1024;

    private readonly Channel<Waiting> _queue = Channel.CreateUnbounded<Waiting>();
    private readonly ResiliencePipeline _untilAccepted;
    private readonly PoolParts _parts;
    private readonly ILogger _log;
    private int _waiting;

    public OutcomeSender(PoolParts parts)
    {
        _parts = parts;
        _log = parts.Logs.CreateLogger<OutcomeSender>();
        _untilAccepted = WorkerRetry.UntilSuccess(
            parts.Clock,
            exception => Log.NotAccepted(_log, Volatile.Read(ref _waiting), exception.Message)
        );
    }

    /// <summary>Queues an outcome; <paramref name="sent"/> is called when the dispatcher has it.</summary>
    public void Add(AttemptOutcome outcome, Action sent)
    {
        var waiting = Measured(outcome, sent);
        Count(1);
        if (!_queue.Writer.TryWrite(waiting))
        {
            Count(-1);
            Log.Lost(_log, 1);
        }
    }

    /// <summary>No further outcome is added: <see cref="RunAsync"/> ends when all are sent.</summary>
    public void Complete() => _queue.Writer.TryComplete();

    /// <summary>Waits while too many outcomes are unsent: the broker is unavailable, and further claims would add to them.</summary>
    public async Task WaitForCapacityAsync(CancellationToken cancellationToken)
    {
        while (Volatile.Read(ref _waiting) >= MaxWaiting)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), _parts.Clock, cancellationToken);
        }
    }

    public async Task RunAsync(CancellationToken abort)
    {
        try
        {
            while (await _queue.Reader.WaitToReadAsync(abort))
            {
                var batch = Pack();
                await _untilAccepted.ExecuteAsync(
                    async token =>
                        await _parts.Transport.SendAsync(
                            new OutcomeBatch { Outcomes = [.. batch.Select(waiting => waiting.Outcome)] },
                            token
                        ),
                    abort
                );
                batch.ForEach(waiting => waiting.Sent());
                Count(-batch.Count);
            }
        }
        catch (OperationCanceledException) when (abort.IsCancellationRequested)
        {
            if (Volatile.Read(ref _waiting) is > 0 and var lost)
            {
                Log.Lost(_log, lost);
            }
        }
    }

    private void Count(int more)
    {
        Interlocked.Add(ref _waiting, more);
        _parts.Metrics.OutcomesWaiting(_parts.Pool.Name, more);
    }

    // An outcome that cannot be serialized would fail its batch every time and block all later outcomes.
    private Waiting Measured(AttemptOutcome outcome, Action sent)
    {
        try
        {
            CheckResult(outcome.Result);
            return new Waiting(outcome, Size(outcome), sent);
        }
        catch (Exception exception)
            when (exception is InvalidOperationException or JsonException or ArgumentException or NotSupportedException)
        {
            Log.NotWritable(_log, outcome.JobId, outcome.Attempt, exception.Message);
            var ending = Ending.BadResult(exception);
            var reported = outcome with { Kind = ending.Kind, Result = null, Fault = ending.Fault };
            return new Waiting(reported, Size(reported), sent);
        }
    }

    /// <summary>
    /// Throws for a result that can be serialized but that the dispatcher refuses: nested too deep, or with a name twice in one object.
    /// </summary>
    private static void CheckResult(JsonElement? result)
    {
        if (result is { } value)
        {
            var strict = new JsonDocumentOptions { MaxDepth = JsonLimits.DeepestValue, AllowDuplicateProperties = false };
            JsonDocument.Parse(value.GetRawText(), strict).Dispose();
        }
    }

    // Measured as a batch of one: a batch nests the outcome deeper, and the depth is limited.
    private static int Size(AttemptOutcome outcome) =>
        JsonSerializer.SerializeToUtf8Bytes(new OutcomeBatch { Outcomes = [outcome] }, WireJson.Default.OutcomeBatch).Length;

    private List<Waiting> Pack()
    {
        List<Waiting> batch = [];
        var bytes = 0;
        while (
            batch.Count < MaxBatch
            && _queue.Reader.TryPeek(out var next)
            && (batch.Count == 0 || bytes + next.Bytes <= MaxBatchBytes)
            && _queue.Reader.TryRead(out next)
        )
        {
            batch.Add(next);
            bytes += next.Bytes;
        }

        return batch;
    }

    private sealed record Waiting(AttemptOutcome Outcome, int Bytes, Action Sent);

    private static partial class Log
    {
        [LoggerMessage(
            WorkerEventIds.OutcomesNotAccepted,
            LogLevel.Warning,
            "The broker did not accept the outcomes; sending them again, {Waiting} are waiting ({Error})"
        )]
        public static partial void NotAccepted(ILogger logger, int waiting, string error);

        [LoggerMessage(
            WorkerEventIds.OutcomeNotWritable,
            LogLevel.Error,
            "The outcome of job {JobId}, attempt {Attempt} cannot be serialized; a fault is reported instead ({Error})"
        )]
        public static partial void NotWritable(ILogger logger, Guid jobId, int attempt, string error);

        [LoggerMessage(
            WorkerEventIds.OutcomesLost,
            LogLevel.Error,
            "The worker ends with {Count} unsent outcomes; their leases expire, and the dispatcher decides about the jobs"
        )]
        public static partial void Lost(ILogger logger, int count);
    }
}
