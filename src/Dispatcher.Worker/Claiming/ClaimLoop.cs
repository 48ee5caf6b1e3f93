using System.Text.Json;
using System.Threading.Channels;
using Dispatcher.Contracts;
using Dispatcher.Worker.Outcomes;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.Running;
using Microsoft.Extensions.Logging;

namespace Dispatcher.Worker.Claiming;

/// <summary>
/// Takes a delivery to a started run:
/// (1) Check the permit. A delivery whose permit does not fit is dropped.
/// (2) When slots are free, claim as many candidates as fit in one request. Refused ones are dropped, and so is a second copy of a
/// candidate or of a live run. If no slot becomes free for a second, the waiting deliveries are returned for another worker, and the
/// consumer pauses until a slot is free.
/// (3) Ack each granted one, then start it. After a crash between claim and ack the broker redelivers, and the second claim is refused.
/// After a crash behind the ack the lease expires, and the sweep of the dispatcher repairs the job.
/// </summary>
internal sealed partial class ClaimLoop : IDisposable
{
    private const int MaxPermits = 256;

    /// <summary>
    /// How long a delivery waits for a slot. Short runs free a slot much sooner, and each return uses up one of the few deliveries that
    /// the broker allows a message.
    /// </summary>
    private static readonly TimeSpan FullAfter = TimeSpan.FromSeconds(1);

    private readonly Channel<Candidate> _waiting = Channel.CreateUnbounded<Candidate>();
    private readonly ClaimClient _client;
    private readonly SemaphoreSlim _slots;
    private readonly PoolParts _parts;
    private readonly PoolConsumer _consumer;
    private readonly JobRunner _runner;
    private readonly ClaimedRuns _runs;
    private readonly OutcomeSender _outcomes;
    private readonly ILogger _log;

    /// <summary>When the consumer was limited to what can start at once. Null: it is not limited.</summary>
    private long? _limitedSince;

    public ClaimLoop(PoolParts parts, JobRunner runner, ClaimedRuns runs, OutcomeSender outcomes)
    {
        (_parts, _runner, _runs, _outcomes) = (parts, runner, runs, outcomes);
        _log = parts.Logs.CreateLogger<ClaimLoop>();
        _consumer = new PoolConsumer(parts, TakeAsync);
        _slots = new SemaphoreSlim(parts.Options.Concurrency);
        _client = new ClaimClient(parts);
    }

    /// <summary>Hands over deliveries until the stop.</summary>
    public Task ConsumeAsync(CancellationToken stopping) => _consumer.RunAsync(stopping);

    /// <summary>Claims and starts the deliveries that were handed over, until the stop.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(stopping))
            {
                await _outcomes.WaitForCapacityAsync(stopping);
                await TakeSlotAsync(stopping);
                await ClaimAsync(await TakeBatchAsync(), stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The pool stops; the caller returns the waiting deliveries.
        }
    }

    /// <summary>Returns the deliveries that were not claimed. Called after the consuming has ended.</summary>
    public async Task ReturnWaitingAsync()
    {
        while (_waiting.Reader.TryRead(out var candidate))
        {
            await candidate.Delivery.ReturnAsync();
        }
    }

    public void Dispose()
    {
        _slots.Dispose();
        _consumer.Dispose();
    }

    // :: Step 1
    private async Task TakeAsync(Delivery delivery)
    {
        var check = PermitCheck.Of(delivery.Body, delivery.Permit, _parts.Pool.Name);
        if (check is { Fault: PermitFault.None, Claims: { } claims, Message: { } message })
        {
            _parts.Dropped.Used();
            await _waiting.Writer.WriteAsync(new Candidate(delivery, claims, message));
            return;
        }

        _parts.Metrics.Dropped(_parts.Pool.Name, check.Fault.ToString());
        Log.Dropped(_log, _parts.Pool.Name, check.Fault);
        if (_parts.Dropped.Drop(JsonNamingPolicy.SnakeCaseLower.ConvertName(check.Fault.ToString())))
        {
            Log.Unusable(_log, _parts.Pool.Name, DroppedDeliveries.MaxInARow, check.Fault, DroppedDeliveries.Pause);
            await _consumer.SuspendAsync();
        }

        await delivery.AckAsync();
    }

    private async Task TakeSlotAsync(CancellationToken stopping)
    {
        if (!await _slots.WaitAsync(_parts.Transport.IsAlone ? Timeout.InfiniteTimeSpan : FullAfter, _parts.Clock, stopping))
        {
            Log.Full(_log, _parts.Pool.Name);
            await _consumer.PauseAsync(stopping);
            await ReturnWaitingAsync();
            await _slots.WaitAsync(stopping);
            // No more than can start: while all runs are long, further ones would be returned again and again, and the broker drops a
            // message after a number of deliveries.
            _consumer.Resume(1 + _slots.CurrentCount);
            _limitedSince = _parts.Clock.GetTimestamp();
        }
        else if (_limitedSince is { } since && _parts.Clock.GetElapsedTime(since) > FullAfter)
        {
            await _consumer.PauseAsync(stopping);
            await ReturnWaitingAsync();
            _consumer.Resume(null);
            _limitedSince = null;
        }
    }

    // The caller holds one slot; each further candidate takes one more.
    private async Task<List<Candidate>> TakeBatchAsync()
    {
        // No claim request is under way here: every run that the last one granted is among the claimed runs.
        var permits = _runs.All.Select(run => run.PermitId).ToHashSet();
        List<Candidate> batch = [];
        while (_waiting.Reader.TryRead(out var candidate))
        {
            // The dispatcher may grant both copies if they share a request, and the job would run twice.
            if (!permits.Add(candidate.Claims.Jti))
            {
                await DropCopyAsync(candidate);
                continue;
            }

            batch.Add(candidate);
            if (batch.Count == MaxPermits || !_slots.Wait(0, CancellationToken.None))
            {
                return batch;
            }
        }

        _slots.Release();
        return batch;
    }

    private async Task DropCopyAsync(Candidate copy)
    {
        _parts.Metrics.Dropped(_parts.Pool.Name, "Copy");
        Log.Copy(_log, copy.Message.JobId, copy.Message.Attempt);
        await copy.Delivery.AckAsync();
    }

    // :: Step 2
    private async Task ClaimAsync(List<Candidate> batch, CancellationToken stopping)
    {
        // Only copies were waiting.
        if (batch.Count == 0)
        {
            return;
        }

        // The run's time limit counts from the request: the answer that grants the claim may have been lost once.
        var sentAt = _parts.Clock.GetTimestamp();
        if (await _client.ClaimAsync(batch, stopping) is not { } claims)
        {
            foreach (var candidate in batch)
            {
                await candidate.Delivery.ReturnAsync();
            }

            return;
        }

        for (var i = 0; i < batch.Count; i++)
        {
            await StartAsync(batch[i], claims[i], sentAt, stopping);
        }
    }

    // :: Step 3
    private async Task StartAsync(Candidate candidate, Claim claim, long sentAt, CancellationToken stopping)
    {
        _parts.Metrics.Claimed(_parts.Pool.Name, claim.Status);
        await candidate.Delivery.AckAsync();
        if (claim.Status != ClaimStatus.Granted)
        {
            _slots.Release();
            Log.Refused(_log, candidate.Message.JobId, candidate.Message.Attempt, claim.Status);
            return;
        }

        var run = new ClaimedRun(
            candidate.Message,
            claim.RunId!.Value,
            candidate.Claims.Jti,
            candidate.Delivery.TraceParent,
            sentAt,
            _parts.Clock
        );
        _runs.Add(run);
        if (stopping.IsCancellationRequested)
        {
            End(run, _runner.Returned(run));
            return;
        }

        // Not awaited: ClaimedRuns is notified of its end.
        _ = RunToEndAsync(run);
    }

    private async Task RunToEndAsync(ClaimedRun run)
    {
        AttemptOutcome? outcome;
        try
        {
            outcome = await _runner.RunAsync(run);
        }
#pragma warning disable CA1031 // No caller awaits this. After any exception the slot must be freed and the heartbeats must end.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            outcome = _runner.Unreportable(run, exception);
        }

        End(run, outcome);
    }

    private void End(ClaimedRun run, AttemptOutcome? outcome)
    {
        if (outcome is null)
        {
            _runs.Remove(run);
        }
        else
        {
            // Before the run counts as ended: the stop waits for that and takes no outcome afterwards.
            // Heartbeats continue until the dispatcher has the outcome: while the broker is unavailable, the lease of done work must not
            // expire.
            _outcomes.Add(outcome, () => _runs.Remove(run));
        }

        _runs.HasEnded(run);
        _slots.Release();
    }

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.DeliveryDropped, LogLevel.Warning, "Dropped a delivery of pool {Pool}: permit {Fault}")]
        public static partial void Dropped(ILogger logger, string pool, PermitFault fault);

        [LoggerMessage(WorkerEventIds.ClaimRefused, LogLevel.Information, "Claim of job {JobId}, attempt {Attempt} refused: {Status}")]
        public static partial void Refused(ILogger logger, Guid jobId, int attempt, ClaimStatus status);

        [LoggerMessage(
            WorkerEventIds.DeliveriesUnusable,
            LogLevel.Error,
            "Pool {Pool}: this worker could not use {Count} deliveries in a row, the last because of its permit: {Fault}. "
                + "It consumes nothing for {Pause}, and the dispatcher gives it no work. "
                + "Compare its version and pool with those of the dispatcher"
        )]
        public static partial void Unusable(ILogger logger, string pool, int count, PermitFault fault, TimeSpan pause);

        [LoggerMessage(
            WorkerEventIds.PoolFull,
            LogLevel.Debug,
            "Pool {Pool} is full with long runs; the waiting deliveries are returned, and nothing is consumed until a run ends"
        )]
        public static partial void Full(ILogger logger, string pool);

        [LoggerMessage(WorkerEventIds.CopyDropped, LogLevel.Information, "Dropped a second copy of job {JobId}, attempt {Attempt}")]
        public static partial void Copy(ILogger logger, Guid jobId, int attempt);
    }
}
