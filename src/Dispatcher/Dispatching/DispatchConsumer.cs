using System.Text.Json;
using Dispatcher.Jobs;
using Dispatcher.Judging;
using Dispatcher.Messaging;
using Dispatcher.Policies;
using Dispatcher.Storing;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>Step 4, in the consume pipeline of the dispatch queue: reads the jobs from the store, never from the message, and asks the policy again with the bundle in force now.</summary>
internal sealed partial class DispatchPolicyFilter(IDbContextFactory<DispatcherDb> database, PolicyGate gate, ILogger<DispatchPolicyFilter> logger) : IFilter<ConsumeContext<RawMessage>>
{
    public async Task Send(ConsumeContext<RawMessage> context, IPipe<ConsumeContext<RawMessage>> next)
    {
        var ids = Ids(context.Message.Body);
        await using var db = await database.CreateDbContextAsync(context.CancellationToken);
        var jobs = await db.Jobs.AsNoTracking().Where(job => ids.Contains(job.JobId)).ToListAsync(context.CancellationToken);
        var judged = new List<Judged<Job>>(jobs.Count);
        foreach (var job in jobs.Where(JobDispatch.IsWaiting))
        {
            // Without a bundle that can be read nothing starts, but nothing ends either: the sweep brings the job back when there is one.
            var decided = await gate.JudgeAsync(job, Hop.Dispatch, context.CancellationToken);
            if (decided.Decision.Reason != ReasonCodes.NoBundle)
            {
                judged.Add(decided);
            }
        }

        context.AddOrUpdatePayload<IReadOnlyList<Judged<Job>>>(() => judged, _ => judged);
        await next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("policy").Add("hop", "dispatch");

    /// <summary>The message only says where to look. One that cannot be read loses nothing: the sweep finds the jobs by their time.</summary>
    private IReadOnlyList<Guid> Ids(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize<DispatchBatch>(body.Span)?.Jobs ?? [];
        }
        catch (JsonException reason)
        {
            Log.Unreadable(logger, reason);
            return [];
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.DispatchUnreadable, LogLevel.Error, "A dispatch message cannot be read and is dropped; the sweep finds its jobs")]
        public static partial void Unreadable(ILogger logger, Exception reason);
    }
}

/// <summary>Dispatches the judged jobs of one packed message, each by itself.</summary>
internal sealed class DispatchConsumer(JobDispatch dispatch) : IConsumer<RawMessage>
{
    public Task Consume(ConsumeContext<RawMessage> context) =>
        Task.WhenAll(context.GetPayload<IReadOnlyList<Judged<Job>>>().Select(judged => dispatch.DispatchAsync(judged, context.CancellationToken)));
}
