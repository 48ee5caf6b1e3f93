using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Policies.Model;
using MassTransit;

namespace Dispatcher.Dispatching;

/// <summary>Step 4, in the consume pipeline of the dispatch queue: takes the next jobs of each line from the store, never from the message, and asks the policy again with the bundle in force now.</summary>
internal sealed partial class DispatchPolicyFilter(
    PoolLeases turns,
    PoolBacklog lines,
    DispatchSignals signals,
    PolicyGate gate,
    ILogger<DispatchPolicyFilter> logger
) : IFilter<ConsumeContext<RawMessage>>
{
    public async Task Send(ConsumeContext<RawMessage> context, IPipe<ConsumeContext<RawMessage>> next)
    {
        foreach (var pool in Pools(context.Message.Body))
        {
            await using var turn = pool is null ? null : await turns.TakeAsync(pool, context.CancellationToken);
            var evaluated = await EvaluateAsync(turn?.Jobs ?? [], context.CancellationToken);

            // Also with nobody to dispatch: a message that no consumer has seen counts as skipped.
            context.AddOrUpdatePayload(() => evaluated, _ => evaluated);
            await next.Send(context);
            if (turn?.MayBeMore == true && evaluated.Count > 0)
            {
                signals.Wake(pool);
            }
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "dispatch");

    private async Task<IReadOnlyList<Evaluated<Job>>> EvaluateAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        var evaluated = new List<Evaluated<Job>>(jobs.Count);
        foreach (var job in jobs)
        {
            // Without a bundle that can be read nothing starts, but nothing ends either: the sweep looks again when there is one.
            var decided = await gate.EvaluateAsync(job, Hop.Dispatch, cancellationToken);
            if (decided.Decision.Reason != ReasonCodes.NoBundle)
            {
                evaluated.Add(decided);
            }
        }

        return evaluated;
    }

    /// <summary>Known pools of the message. One null if there is none: the sweep looks everywhere, so that nothing is lost.</summary>
    private IReadOnlyList<string?> Pools(ReadOnlyMemory<byte> body)
    {
        var pools = DispatchSignal.Read(body, lines.Known, out var fault);
        if (pools is null)
        {
            Log.Unreadable(logger, fault);
        }

        return pools is { Count: > 0 } ? [.. pools] : [null];
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

/// <summary>Dispatches the evaluated jobs of one turn, each by itself.</summary>
internal sealed class DispatchConsumer(JobDispatch dispatch) : IConsumer<RawMessage>
{
    public Task Consume(ConsumeContext<RawMessage> context) =>
        Task.WhenAll(
            context
                .GetPayload<IReadOnlyList<Evaluated<Job>>>()
                .Select(evaluated => dispatch.DispatchAsync(evaluated, context.CancellationToken))
        );
}
