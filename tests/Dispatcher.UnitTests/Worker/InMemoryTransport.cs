using System.Collections.Concurrent;
using System.Threading.Channels;
using Dispatcher.Contracts;
using Dispatcher.Worker;

namespace Dispatcher.UnitTests.Worker;

/// <summary>A transport whose dispatcher and broker are the test. It records the calls of the worker in order.</summary>
internal sealed class InMemoryTransport : IWorkerTransport
{
    private readonly Channel<Delivery> _queue = Channel.CreateUnbounded<Delivery>();
    private readonly SemaphoreSlim _happened = new(0);
    private int _taken;
    private int _ended;

    public bool IsAlone { get; init; }

    /// <summary>The number of deliveries that the worker has handled or queued.</summary>
    public int Taken => Volatile.Read(ref _taken);

    /// <summary>The number of times that the worker has stopped consuming.</summary>
    public int Ended => Volatile.Read(ref _ended);

    /// <summary>The events in order: <c>claim 2</c>, <c>ack</c>, <c>return</c>, <c>send 1</c>, and the notes of the test.</summary>
    public ConcurrentQueue<string> Seen { get; } = new();

    public ConcurrentQueue<AttemptOutcome> Outcomes { get; } = new();

    public ConcurrentQueue<ClaimRequest> Claims { get; } = new();

    /// <summary>One entry for each time that the worker began to consume.</summary>
    public ConcurrentQueue<int> Prefetches { get; } = new();

    public Func<string, Claim> AnswerClaim { get; set; } = _ => Granted();

    public Func<HeartbeatRequest, HeartbeatAnswer> AnswerHeartbeat { get; set; } = _ => new HeartbeatAnswer { Cancelled = [], Fenced = [] };

    public ConcurrentQueue<WorkerRegistration> Registrations { get; } = new();

    public Func<WorkerRegistration, HeartbeatAnswer> AnswerRegistration { get; set; } =
        _ => new HeartbeatAnswer { Cancelled = [], Fenced = [] };

    public Func<CancellationToken, Task> BeforeClaim { get; set; } = _ => Task.CompletedTask;

    public Func<OutcomeBatch, Task> BeforeSend { get; set; } = _ => Task.CompletedTask;

    public static Claim Granted() =>
        new()
        {
            Status = ClaimStatus.Granted,
            RunId = Guid.CreateVersion7(),
            PermitId = Guid.CreateVersion7(),
        };

    public void Deliver(AWork work) =>
        _queue.Writer.TryWrite(
            new Delivery
            {
                Body = work.Body,
                Permit = work.Permit,
                AckAsync = () => Note("ack"),
                ReturnAsync = () => Note("return"),
            }
        );

    public Task Note(string what)
    {
        Seen.Enqueue(what);
        _happened.Release();
        return Task.CompletedTask;
    }

    /// <summary>Waits until the condition holds. Checks it at each event; fails after ten seconds with the events so far.</summary>
    public Task Until(Func<bool> condition) => Until(condition, Timeout.InfiniteTimeSpan, () => { });

    /// <summary>
    /// Advances the clock in steps until the condition holds. For waits whose length or number the test does not know. A step is taken
    /// when no event has followed the last one for 20 ms of real time.
    /// </summary>
    public Task UntilTimePasses(SteppedClock clock, TimeSpan step, Func<bool> condition) =>
        Until(condition, TimeSpan.FromMilliseconds(20), () => clock.Advance(step));

    private async Task Until(Func<bool> condition, TimeSpan quiet, Action afterQuiet)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(10));
        while (!condition())
        {
            try
            {
                if (!await _happened.WaitAsync(quiet, patience.Token))
                {
                    afterQuiet();
                }
            }
            catch (OperationCanceledException)
            {
                Assert.Fail("The condition did not hold in time. Events: " + string.Join(", ", Seen));
            }
        }
    }

    public async Task<AttemptOutcome> FirstOutcome()
    {
        await Until(() => !Outcomes.IsEmpty);
        return Outcomes.First();
    }

    public async Task ConsumeAsync(string pool, int prefetch, Func<Delivery, Task> onDelivery, CancellationToken cancellationToken)
    {
        Prefetches.Enqueue(prefetch);
        _happened.Release();
        try
        {
            await foreach (var delivery in _queue.Reader.ReadAllAsync(cancellationToken))
            {
                await onDelivery(delivery);
                Interlocked.Increment(ref _taken);
                _happened.Release();
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopped.
        }

        Interlocked.Increment(ref _ended);
        _happened.Release();
    }

    public async Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken)
    {
        Claims.Enqueue(request);
        await Note($"claim {request.Permits.Count}");
        await BeforeClaim(cancellationToken);
        return new ClaimAnswer { Claims = [.. request.Permits.Select(AnswerClaim)] };
    }

    public async Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, CancellationToken cancellationToken)
    {
        if (request.Registration is { } registration)
        {
            Registrations.Enqueue(registration);
            _happened.Release();
            return AnswerRegistration(registration);
        }

        await Note($"heartbeat {request.Runs.Count}");
        return AnswerHeartbeat(request);
    }

    public async Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken)
    {
        await BeforeSend(batch);
        foreach (var outcome in batch.Outcomes)
        {
            Outcomes.Enqueue(outcome);
        }

        await Note($"send {batch.Outcomes.Count}");
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
