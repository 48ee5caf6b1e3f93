using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Outbox;
using MassTransit;

namespace Dispatcher.Dispatching;

/// <summary>
/// The policy in the consume pipeline of the dispatch queue. The message only names pools: the jobs come from the store, and the bundle in
/// force evaluates each of them again. Passes the <see cref="EvaluatedBacklog"/> of each pool that has jobs to
/// <see cref="DispatchConsumer"/>.
/// </summary>
internal sealed partial class DispatchPolicyFilter(
    PoolDispatch dispatch,
    PoolBacklog backlog,
    DispatchSignals signals,
    ILogger<DispatchPolicyFilter> logger
) : IFilter<ConsumeContext>
{
    /// <summary>Maximum number of leases on one pool for one signal: a pool with a large backlog must not delay the others.</summary>
    private const int MaxLeases = 4;

    public async Task Send(ConsumeContext context, IPipe<ConsumeContext> next)
    {
        var delivery = context.Raw();
        var pools = DispatchSignal.Read(delivery.Message.Body, backlog.Known, out var fault);
        if (pools is null)
        {
            // The sweep checks every pool, so that no job depends on this message.
            Log.Unreadable(logger, fault);
        }

        // One pool after another: the server holds one lease and the payloads of one pool at a time. The filter, not the consumer, reads
        // the store, so that StoreRetry sees an outage before MassTransit reports a fault of the consumer.
        foreach (var pool in pools ?? [])
        {
            await DispatchAsync(pool, context, next);
        }

        await delivery.EndHereAsync<DispatchPolicyFilter>();
    }

    /// <summary>Continues while the pool has free slots and ready jobs; after <see cref="MaxLeases"/> a new signal continues.</summary>
    private async Task DispatchAsync(string pool, ConsumeContext context, IPipe<ConsumeContext> next)
    {
        for (var leases = 0; leases < MaxLeases; leases++)
        {
            if (await dispatch.EvaluateAsync(pool, context.CancellationToken) is not { } evaluated)
            {
                return;
            }

            await using (evaluated)
            {
                await next.PassOnAsync(context, evaluated);
            }

            if (!evaluated.Lease.MayBeMore)
            {
                return;
            }
        }

        signals.Signal(pool);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "dispatch");

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.DispatchUnreadable,
            LogLevel.Error,
            "A dispatch message cannot be read and is dropped; the sweep checks every pool: {Reason}"
        )]
        public static partial void Unreadable(ILogger logger, string reason);
    }
}
