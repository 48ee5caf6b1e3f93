using System.Text.Json;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Messaging;
using Dispatcher.Policies;
using MassTransit;

namespace Dispatcher.Dispatching;

/// <summary>Step 4, in the consume pipeline of the dispatch queue: takes the next jobs of each line from the store, never from the message, and asks the policy again with the bundle in force now.</summary>
internal sealed partial class DispatchPolicyFilter(PoolTurns turns, PoolWakes wakes, PolicyGate gate, ILogger<DispatchPolicyFilter> logger) : IFilter<ConsumeContext<RawMessage>>
{
    public async Task Send(ConsumeContext<RawMessage> context, IPipe<ConsumeContext<RawMessage>> next)
    {
        foreach (var pool in Pools(context.Message.Body).Distinct(StringComparer.Ordinal))
        {
            await using var turn = pool is null ? null : await turns.TakeAsync(pool, context.CancellationToken);
            var judged = await JudgeAsync(turn?.Jobs ?? [], context.CancellationToken);

            // Also with nobody to dispatch: a message that no consumer has seen counts as skipped.
            context.AddOrUpdatePayload(() => judged, _ => judged);
            await next.Send(context);
            if (turn?.MayBeMore == true && judged.Count > 0)
            {
                wakes.Wake(pool);
            }
        }
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "dispatch");

    private async Task<IReadOnlyList<Judged<Job>>> JudgeAsync(IReadOnlyList<Job> jobs, CancellationToken cancellationToken)
    {
        var judged = new List<Judged<Job>>(jobs.Count);
        foreach (var job in jobs)
        {
            // Without a bundle that can be read nothing starts, but nothing ends either: the sweep looks again when there is one.
            var decided = await gate.JudgeAsync(job, Hop.Dispatch, cancellationToken);
            if (decided.Decision.Reason != ReasonCodes.NoBundle)
            {
                judged.Add(decided);
            }
        }

        return judged;
    }

    /// <summary>The message only says where to look. One that cannot be read loses nothing: the sweep looks everywhere.</summary>
    private IReadOnlyList<string?> Pools(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<DispatchWake>(body.Span)?.Pools is { Count: > 0 } pools ? pools : throw new JsonException("It names no pool.");
        }
        catch (JsonException reason)
        {
            Log.Unreadable(logger, reason);
            return [null];
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.DispatchUnreadable, LogLevel.Error, "A dispatch message cannot be read and is dropped; the sweep looks at every line")]
        public static partial void Unreadable(ILogger logger, Exception reason);
    }
}

/// <summary>Dispatches the judged jobs of one turn, each by itself.</summary>
internal sealed class DispatchConsumer(JobDispatch dispatch) : IConsumer<RawMessage>
{
    public Task Consume(ConsumeContext<RawMessage> context) =>
        Task.WhenAll(context.GetPayload<IReadOnlyList<Judged<Job>>>().Select(judged => dispatch.DispatchAsync(judged, context.CancellationToken)));
}
