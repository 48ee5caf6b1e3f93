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
/// Connects the embedded server's worker to it: work over the in-memory queues, claims, heartbeats and outcomes as calls. It is the worker SDK's second transport, so that
/// the worker is the same in both ways to run.
/// </summary>
internal sealed class InProcessTransport(AttemptClaims claims, LeaseExtension leases, JobRecovery recovery) : IWorkerTransport
{
    /// <summary>The principal of the worker in the process.</summary>
    public const string Subject = "embedded-worker";

    /// <summary>Deliveries that came before the worker asked: it starts after the queues.</summary>
    private readonly ConcurrentDictionary<string, Channel<Delivery>> _pools = new(StringComparer.Ordinal);

    public bool IsAlone => true;

    /// <summary>Hands a message to the pool's worker; completes when it is acked, or returned: then the sweep hands the attempt out again.</summary>
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
            // Returns normally, as the contract says.
        }
    }

    public Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken) =>
        claims.ClaimAsync(request, Subject, _ => true, cancellationToken);

    public async Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, CancellationToken cancellationToken) =>
        await leases.ExtendLeasesAsync(request, Subject, cancellationToken)
        ?? throw new InvalidOperationException($"{Subject} has registered too many instances.");

    /// <summary>Returns when they are committed: a queue in memory would lose them with the process.</summary>
    public Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken) =>
        recovery.RecordAsync(batch.Outcomes, Subject, cancellationToken);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private Channel<Delivery> Pool(string pool) => _pools.GetOrAdd(pool, _ => Channel.CreateUnbounded<Delivery>());
}
