using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Approvals;

/// <summary>
/// Nothing here waits for an event: approvals are given over HTTP only. So an <c>approved</c> event of a job that nobody approved was not sent by us. It grants nothing, but
/// others may believe it: it is logged and, once a job, on the timeline.
/// </summary>
internal sealed partial class ApprovalWatch(IDbContextFactory<DispatcherDb> database, IStore store, ILogger<ApprovalWatch> logger)
    : IConsumer<RawMessage>
{
    public async Task Consume(ConsumeContext<RawMessage> context)
    {
        if (JobOf(context.Message.Body) is not { } jobId)
        {
            return;
        }

        var sender = DeliveryFacts.Of(context).UserId ?? "unknown";
        await using var db = await database.CreateDbContextAsync(context.CancellationToken);
        var isTrue = await db.Approvals.AnyAsync(approval => approval.JobId == jobId && approval.UseBy != null, context.CancellationToken);
        var stored = db.Jobs.Where(job => job.JobId == jobId).WithoutPayload();
        if (isTrue || await stored.SingleOrDefaultAsync(context.CancellationToken) is not { } job)
        {
            return;
        }

        Log.Forged(logger, jobId, sender);
        if (
            !await db.Timeline.AnyAsync(
                entry => entry.JobId == jobId && entry.Kind == TimelineKinds.EventRefused,
                context.CancellationToken
            )
        )
        {
            await store.RecordAsync([VoteEntries.EventRefused(job, sender)], [], context.CancellationToken);
        }
    }

    private static Guid? JobOf(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonSerializer.Deserialize(body.Span, WireJson.Default.JobEvent)?.JobId;
        }
        catch (JsonException)
        {
            // Whatever it is, it is no event of ours, and names no job.
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.ApprovalForged,
            LogLevel.Warning,
            "An event from {Sender} says that job {JobId} is approved; nobody approved it, and nothing follows from it"
        )]
        public static partial void Forged(ILogger logger, Guid jobId, string sender);
    }
}
