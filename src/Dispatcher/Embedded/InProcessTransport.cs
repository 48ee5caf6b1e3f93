using System.Collections.Concurrent;
using System.Threading.Channels;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Recovery;
using Dispatcher.Worker;
using MassTransit;

namespace Dispatcher.Embedded;

/// <summary>
/// Connects the embedded server with its worker: work over the in-memory queues; claims, heartbeats and outcomes as calls. It is the second
/// transport of the worker library, so that the worker itself is the same in both modes.
/// </summary>
internal sealed class InProcessTransport(AttemptClaims claims, LeaseExtension leases, JobRecovery recovery) : IWorkerTransport
{
    /// <summary>The principal of the embedded worker.</summary>
    public const string Subject = "embedded-worker";

    /// <summary>Buffers deliveries by pool: the queues start before the worker.</summary>
    private readonly ConcurrentDictionary<string, Channel<Delivery>> _pools = new(StringComparer.Ordinal);

    public bool IsAlone => true;

    /// <summary>
    /// Delivers a message to the worker of the pool. Completes when the worker acks it, or returns it: then the sweep dispatches the
    /// attempt again.
    /// </summary>
    public async Task DeliverAsync(string pool, ConsumeContext<RawMessage> context)
    {
        var facts = DeliveryFacts.Of(context);
        var answered = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task Answer()
        {
            answered.TrySetResult();
            return Task.CompletedTask;
        }

        await Pool(pool)
            .Writer.WriteAsync(
                new Delivery
                {
                    Body = context.Message.Body,
                    Permit = facts.Permit,
                    TraceParent = facts.TraceParent,
                    AckAsync = Answer,
                    ReturnAsync = Answer,
                },
                context.CancellationToken
            );
        await answered.Task.WaitAsync(context.CancellationToken);
    }

    public async Task ConsumeAsync(string pool, int prefetch, Func<Delivery, Task> onDelivery, CancellationToken cancellationToken)
    {
        try
        {
            await foreach (var delivery in Pool(pool).Reader.ReadAllAsync(cancellationToken))
            {
                await onDelivery(delivery);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The contract requires a normal return.
        }
    }

    public Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken) =>
        claims.ClaimAsync(request, Subject, _ => true, cancellationToken);

    public async Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, CancellationToken cancellationToken) =>
        await leases.ExtendLeasesAsync(request, Subject, cancellationToken)
        ?? throw new InvalidOperationException($"{Subject} has registered too many instances.");

    /// <summary>Returns after the commit: a queue in memory would lose the outcomes with the process.</summary>
    public Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken) =>
        recovery.RecordAsync(batch.Outcomes, Subject, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Channel<Delivery> Pool(string pool) => _pools.GetOrAdd(pool, _ => Channel.CreateUnbounded<Delivery>());
}
