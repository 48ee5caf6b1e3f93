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
internal sealed partial class DispatchPolicyFilter(PoolDispatch dispatch, PoolBacklog backlog, ILogger<DispatchPolicyFilter> logger)
    : IFilter<ConsumeContext>
{
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
            if (await dispatch.EvaluateAsync(pool, context.CancellationToken) is { } evaluated)
            {
                await using (evaluated)
                {
                    await next.PassOnAsync(context, evaluated);
                }
            }
        }

        await delivery.EndHereAsync<DispatchPolicyFilter>();
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
