using System.Text.Json;
using System.Threading.Channels;
using Dispatcher.Contracts;
using Dispatcher.Worker.Outcomes;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.Running;
using Microsoft.Extensions.Logging;
using Polly;

namespace Dispatcher.Worker.Claiming;

/// <summary>
/// From a delivery to a started run:
/// (1) check the permit; what does not fit is dropped.
/// (2) when slots are free, claim as many as fit in one request; refused ones are dropped, and so is a second copy of what is gathered or still lives.
/// When none has become free for a second, what waits is returned, for another worker to take, and nothing is consumed until one is.
/// (3) ack each granted one, then start it. A crash between claim and ack redelivers, and the second claim is refused; a crash after the ack leaves the lease, which the sweep repairs.
/// </summary>
internal sealed partial class ClaimLoop : IDisposable
{
    private const int MaxPermits = 256;

    /// <summary>So long a delivery waits for a slot. Short runs free one much sooner; and each return costs the message one of the few deliveries it has.</summary>
    private static readonly TimeSpan FullAfter = TimeSpan.FromSeconds(1);

    private readonly Channel<Candidate> _waiting = Channel.CreateUnbounded<Candidate>();
    private readonly ResiliencePipeline _untilAnswered;
    private readonly SemaphoreSlim _slots;
    private readonly PoolParts _parts;
    private readonly PoolConsumer _consumer;
    private readonly JobRunner _runner;
    private readonly ClaimedRuns _runs;
    private readonly OutcomeSender _outcomes;
    private readonly ILogger _log;

    /// <summary>When it began to take no more than it could start. Null: it takes more.</summary>
    private long? _sparingSince;

    public ClaimLoop(PoolParts parts, JobRunner runner, ClaimedRuns runs, OutcomeSender outcomes)
    {
        (_parts, _runner, _runs, _outcomes) = (parts, runner, runs, outcomes);
        _log = parts.Logs.CreateLogger<ClaimLoop>();
        _consumer = new PoolConsumer(parts, TakeAsync);
        _slots = new SemaphoreSlim(parts.Options.Concurrency);
        _untilAnswered = WorkerRetry.UntilSuccess(parts.Clock, exception => Log.Unreachable(_log, exception.Message));
    }

    /// <summary>Hands over what comes; returns when it is told to stop.</summary>
    public Task ConsumeAsync(CancellationToken stopping) => _consumer.RunAsync(stopping);

    /// <summary>Claims and starts what was handed over, until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        try
        {
            while (await _waiting.Reader.WaitToReadAsync(stopping))
            {
                await _outcomes.WhenRoomAsync(stopping);
                await TakeSlotAsync(stopping);
                await ClaimAsync(await TakeWhatFitsAsync(), stopping);
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // The pool stops; the caller returns what waits.
        }
    }

    /// <summary>Gives back what was delivered and not claimed. After the consuming has ended.</summary>
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
            Log.Unusable(_log, _parts.Pool.Name, DroppedDeliveries.MostInARow, check.Fault, DroppedDeliveries.Pause);
            await _consumer.SuspendAsync();
        }

        await delivery.AckAsync();
    }

    private async Task TakeSlotAsync(CancellationToken stopping)
    {
        if (!await _slots.WaitAsync(_parts.Transport.IsAlone ? Timeout.InfiniteTimeSpan : FullAfter, stopping))
        {
            Log.Full(_log, _parts.Pool.Name);
            await _consumer.PauseAsync(stopping);
            await ReturnWaitingAsync();
            await _slots.WaitAsync(stopping);
            // No more than can start: what is behind them would be returned again and again while all runs are long, and a message may be delivered only so often.
            _consumer.Resume(1 + _slots.CurrentCount);
            _sparingSince = _parts.Clock.GetTimestamp();
        }
        else if (_sparingSince is { } since && _parts.Clock.GetElapsedTime(since) > FullAfter)
        {
            await _consumer.PauseAsync(stopping);
            await ReturnWaitingAsync();
            _consumer.Resume(null);
            _sparingSince = null;
        }
    }

    // One slot is held already; takes one more for each further candidate.
    private async Task<List<Candidate>> TakeWhatFitsAsync()
    {
        // No request is under way here: what the last one was granted is among the live runs.
        var permits = _runs.All.Select(run => run.PermitId).ToHashSet();
        List<Candidate> batch = [];
        while (_waiting.Reader.TryRead(out var candidate))
        {
            // Copies may be granted alike when they share a request, and then the job would run twice.
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

        ClaimAnswer? answer = null;
        var claimId = Guid.CreateVersion7(_parts.Clock.GetUtcNow());

        // The run's clock begins with the first request: the claim may have been granted by one whose answer was lost.
        var sentAt = _parts.Clock.GetTimestamp();
        try
        {
            await _untilAnswered.ExecuteAsync(
                async _ =>
                {
                    // Not cancelled by the stop: a claim that was granted unseen would have to wait for its lease to run out.
                    answer = await AskAsync(claimId, batch, CancellationToken.None);
                },
                stopping
            );
        }
#pragma warning disable CA1031 // Only the stop ends the retries, whatever the last failure was.
        catch (Exception) when (stopping.IsCancellationRequested)
#pragma warning restore CA1031
        {
            foreach (var candidate in batch)
            {
                await candidate.Delivery.ReturnAsync();
            }

            return;
        }

        for (var i = 0; i < batch.Count; i++)
        {
            await FollowAsync(batch[i], answer!.Claims[i], sentAt, stopping);
        }
    }

    // :: Step 3
    private async Task FollowAsync(Candidate candidate, Claim claim, long sentAt, CancellationToken stopping)
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

        // Not awaited here: ClaimedRuns knows when it has ended.
        _ = RunToEndAsync(run);
    }

    private async Task RunToEndAsync(ClaimedRun run)
    {
        AttemptOutcome? outcome;
        try
        {
            outcome = await _runner.RunAsync(run);
        }
#pragma warning disable CA1031 // Nobody awaits this: whatever is thrown, the slot must be freed and the heartbeats must end.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            outcome = _runner.Broken(run, exception);
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
            // Before the run counts as ended: a stop waits for that, and takes no outcome after it.
            // Heartbeats go on until the outcome is with the dispatcher: while the broker is away the lease must not run out on work that is done.
            _outcomes.Add(outcome, () => _runs.Remove(run));
        }

        _runs.HasEnded(run);
        _slots.Release();
    }

    private async Task<ClaimAnswer> AskAsync(Guid claimId, List<Candidate> batch, CancellationToken cancellationToken)
    {
        // The permit is there: a delivery without one never becomes a candidate.
        var request = new ClaimRequest
        {
            ClaimId = claimId,
            Worker = _parts.Options.Instance,
            Permits = [.. batch.Select(candidate => candidate.Delivery.Permit!)],
        };
        var answer = await _parts.Transport.ClaimAsync(request, cancellationToken);
        return
            answer.Claims.Count == batch.Count && answer.Claims.All(claim => claim.Status != ClaimStatus.Granted || claim.RunId is not null)
            ? answer
            : throw new InvalidDataException(
                $"The dispatcher answered {answer.Claims.Count} claims to {batch.Count} permits, or granted one without a run_id."
            );
    }

    private sealed record Candidate(Delivery Delivery, PermitClaims Claims, WorkMessage Message);

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.DeliveryDropped, LogLevel.Warning, "Dropped a delivery of pool {Pool}: permit {Fault}")]
        public static partial void Dropped(ILogger logger, string pool, PermitFault fault);

        [LoggerMessage(WorkerEventIds.ClaimRefused, LogLevel.Information, "Claim of job {JobId}, attempt {Attempt} refused: {Status}")]
        public static partial void Refused(ILogger logger, Guid jobId, int attempt, ClaimStatus status);

        [LoggerMessage(WorkerEventIds.ClaimUnreachable, LogLevel.Warning, "Cannot claim, trying again ({Error})")]
        public static partial void Unreachable(ILogger logger, string error);

        [LoggerMessage(
            WorkerEventIds.DeliveriesUnusable,
            LogLevel.Error,
            "Pool {Pool}: this worker could not use {Count} deliveries in a row, the last because of its permit: {Fault}. It consumes nothing for "
                + "{Pause}, and the dispatcher gives it no work. Compare its version and pool with the dispatcher's"
        )]
        public static partial void Unusable(ILogger logger, string pool, int count, PermitFault fault, TimeSpan pause);

        [LoggerMessage(
            WorkerEventIds.PoolFull,
            LogLevel.Debug,
            "Pool {Pool} is full with long runs; what waits is returned, and nothing is consumed until one ends"
        )]
        public static partial void Full(ILogger logger, string pool);

        [LoggerMessage(WorkerEventIds.CopyDropped, LogLevel.Information, "Dropped a second copy of job {JobId}, attempt {Attempt}")]
        public static partial void Copy(ILogger logger, Guid jobId, int attempt);
    }
}
