using System.Runtime.CompilerServices;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Outbox;
using MassTransit;

namespace Dispatcher.Dispatching;

/// <summary>
/// The policy in the consume pipeline of the dispatch queue. The message only names pools: the jobs come from the store, and the bundle in
/// force evaluates each of them again. Passes <see cref="EvaluatedBacklogs"/> on to <see cref="DispatchConsumer"/>.
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
            Log.Unreadable(logger, fault);
        }

        if (pools is { Count: > 0 })
        {
            var evaluated = EvaluatedAsync(pools, context.CancellationToken);
            await next.PassOnAsync(context, new EvaluatedBacklogs(evaluated));
            return;
        }

        // The sweep checks every pool, so that no job depends on this message.
        await delivery.EndHereAsync<DispatchPolicyFilter>();
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "dispatch");

    /// <summary>Evaluates one pool after another, so that the server holds one lease and the payloads of one pool at a time.</summary>
    private async IAsyncEnumerable<EvaluatedBacklog> EvaluatedAsync(
        IReadOnlyList<string> pools,
        [EnumeratorCancellation] CancellationToken cancellationToken
    )
    {
        foreach (var pool in pools)
        {
            if (await dispatch.EvaluateAsync(pool, cancellationToken) is { } evaluated)
            {
                await using (evaluated)
                {
                    yield return evaluated;
                }
            }
        }
    }

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

/// <summary>The jobs that may be dispatched, pool by pool, as the policy filter passes them to <see cref="DispatchConsumer"/>.</summary>
/// <param name="Evaluated">
/// Each pool that has such jobs, evaluated when it is read. Its lease ends when the next one is read: it can be read only once.
/// </param>
internal sealed record EvaluatedBacklogs(IAsyncEnumerable<EvaluatedBacklog> Evaluated);
