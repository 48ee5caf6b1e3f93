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
/// Detects forged <c>approved</c> events. Approvals are given over HTTP only, so an event grants nothing here, but another subscriber
/// may trust it. An event about a job without an approval is logged, and recorded on the timeline once for each job.
/// </summary>
internal sealed partial class ForgedApprovalConsumer(
    IDbContextFactory<DispatcherDb> database,
    IStore store,
    ILogger<ForgedApprovalConsumer> logger
) : IConsumer<RawMessage>
{
    public async Task Consume(ConsumeContext<RawMessage> context)
    {
        if (JobOf(context.Message.Body) is not { } jobId)
        {
            return;
        }

        var sender = DeliveryFacts.Of(context).UserId ?? "unknown";
        await using var db = await database.CreateDbContextAsync(context.CancellationToken);
        var isApproved = await db.Approvals.AnyAsync(
            approval => approval.JobId == jobId && approval.UseBy != null,
            context.CancellationToken
        );
        var stored = db.Jobs.Where(job => job.JobId == jobId).WithoutPayloadAndResult();
        if (isApproved || await stored.SingleOrDefaultAsync(context.CancellationToken) is not { } job)
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
            // The server publishes only valid events: this one names no job.
            return null;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.ApprovalForged,
            LogLevel.Warning,
            "Ignored a forged event: {Sender} published that job {JobId} is approved, but the job has no approval"
        )]
        public static partial void Forged(ILogger logger, Guid jobId, string sender);
    }
}
