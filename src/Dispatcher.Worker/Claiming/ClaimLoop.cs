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
/// (2) Claim as many candidates as have a place, in one request. A place is a free slot or, for an idempotent job while runs are short,
/// one ahead. Refused ones are dropped, and so is a second copy of a candidate or of a live run. If no place becomes free for a second,
/// the waiting deliveries are returned for another worker, and the consumer pauses until a slot is free.
/// (3) Ack all of the request, then start the granted ones, in order, when a slot is free (<see cref="RunSlots"/>). After a crash between
/// claim and ack the broker redelivers, and the second claim is refused. After a crash behind the ack the lease expires, and the sweep of
/// the dispatcher repairs the job.
/// </summary>
internal sealed partial class ClaimLoop : IDisposable
{
    private const int MaxPermits = 256;

    private readonly Channel<Candidate> _waiting = Channel.CreateUnbounded<Candidate>();
    private readonly ClaimClient _client;
    private readonly RunSlots _slots;
    private readonly Prefetch _prefetch;
    private readonly PoolParts _parts;
    private readonly PoolConsumer _consumer;
    private readonly ClaimedRuns _runs;
    private readonly OutcomeSender _outcomes;
    private readonly ILogger _log;

    public ClaimLoop(PoolParts parts, JobRunner runner, ClaimedRuns runs, OutcomeSender outcomes)
    {
        (_parts, _runs, _outcomes) = (parts, runs, outcomes);
        _log = parts.Logs.CreateLogger<ClaimLoop>();
        _prefetch = new Prefetch(parts.Options.Concurrency, parts.Clock);
        _consumer = new PoolConsumer(parts, _prefetch, TakeAsync);
        _slots = new RunSlots(parts, runner, runs, outcomes);
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
                await WaitForPlaceAsync(stopping);
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

    private async Task WaitForPlaceAsync(CancellationToken stopping)
    {
        _ = _waiting.Reader.TryPeek(out var next);
        if (!await _slots.WaitAsync(next?.Message, _parts.Transport.IsAlone ? Timeout.InfiniteTimeSpan : Prefetch.FullAfter, stopping))
        {
            Log.Full(_log, _parts.Pool.Name);
            await _consumer.PauseAsync(stopping);
            await ReturnWaitingAsync();
            await _slots.WaitAsync(null, Timeout.InfiniteTimeSpan, stopping);
            _prefetch.Limit(_slots.Free);
            _consumer.Resume();
        }
        // Alone there is no other worker that could take a returned delivery.
        else if (!_parts.Transport.IsAlone && _prefetch.Follow(_slots.AheadOf(next?.Message)))
        {
            await _consumer.PauseAsync(stopping);
            await ReturnWaitingAsync();
            _consumer.Resume();
        }
    }

    // Empty: only copies were waiting, or the deliveries were returned.
    private async Task<List<Candidate>> TakeBatchAsync()
    {
        // No claim request is under way here: every run that the last one granted is among the claimed runs.
        var permits = _runs.All.Select(run => run.PermitId).ToHashSet();
        List<Candidate> batch = [];
        while (batch.Count < MaxPermits && _waiting.Reader.TryPeek(out var candidate))
        {
            // The dispatcher may grant both copies if they share a request, and the job would run twice.
            if (!permits.Add(candidate.Claims.Jti))
            {
                _ = _waiting.Reader.TryRead(out _);
                await DropCopyAsync(candidate);
                continue;
            }

            if (!_slots.TryTake(candidate.Message))
            {
                break;
            }

            _ = _waiting.Reader.TryRead(out _);
            batch.Add(candidate);
        }

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

        // :: Step 3
        await Task.WhenAll(batch.Select(candidate => candidate.Delivery.AckAsync()));
        for (var i = 0; i < batch.Count; i++)
        {
            Start(batch[i], claims[i], sentAt, stopping);
        }
    }

    private void Start(Candidate candidate, Claim claim, long sentAt, CancellationToken stopping)
    {
        _parts.Metrics.Claimed(_parts.Pool.Name, claim.Status);
        if (claim.Status != ClaimStatus.Granted)
        {
            _slots.GiveBack();
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
        _slots.Start(run, stopping);
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
