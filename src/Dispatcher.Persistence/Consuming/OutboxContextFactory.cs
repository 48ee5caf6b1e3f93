using Dispatcher.Persistence.Sending;
using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Consuming;

/// <summary>
/// A message's way through inbox and outbox. MassTransit's filter resolves this in the scope of the message, and <c>next</c> runs the consumer in it.
/// <list type="number">
/// <item>Begin, and claim the message for this consumer. A duplicate goes on at the last step.</item>
/// <item>The consumer runs; what it sends is kept in memory.</item>
/// <item>One flush: what the consumer wrote, a saga's row, and a row for each send. Commit.</item>
/// <item>Send from memory, no lock held. What cannot be sent is in the table, for <see cref="OutboxDelivery{TDbContext}"/>.</item>
/// <item>Report the message as consumed. The acknowledgement follows.</item>
/// </list>
/// A crash before the commit leaves nothing, and the broker delivers again. A crash after it leaves rows, which the delivery loop of any process sends when the time is
/// over that this one had to itself. The broker's second delivery is dropped: it cannot tell rows that were never sent from those that only wait for their removal.
/// </summary>
internal sealed partial class OutboxContextFactory<TDbContext>(
    TDbContext db,
    OutboxSender<TDbContext> sender,
    OutboxRemoval<TDbContext> removal,
    IOptionsMonitor<OutboxOptions> options,
    TimeProvider clock,
    IServiceProvider services,
    ILogger<OutboxContextFactory<TDbContext>> logger
) : IOutboxContextFactory<TDbContext>
    where TDbContext : DbContext
{
    private readonly OutboxOptions _options = options.Get(typeof(TDbContext).Name);

    public async Task Send<T>(ConsumeContext<T> context, OutboxConsumeOptions options, IPipe<OutboxConsumeContext<T>> next)
        where T : class
    {
        var cause = new InboxRow
        {
            MessageId =
                context.GetOriginalMessageId()
                ?? throw new MessageException(
                    typeof(T),
                    "A message needs a MessageId to go through the inbox: a duplicate could not be told."
                ),
            ConsumerId = options.ConsumerId,
            ReceivedAt = Micros.Of(clock.GetUtcNow()),
        };
        var outbox = new CapturingConsumeContext<T>(context, options, services, new OutboxScope(db, _options, clock, logger), cause);

        var unsent = await ConsumeAsync(outbox, options, next, cause);
        await SendAsync(context, unsent);

        // :: Step 5
        await next.Send(outbox);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("outbox").Add("dbContext", typeof(TDbContext).Name);

    /// <summary>What is to be sent now that the message is consumed for good.</summary>
    private async Task<IReadOnlyList<OutboxRow>> ConsumeAsync<T>(
        CapturingConsumeContext<T> outbox,
        OutboxConsumeOptions options,
        IPipe<OutboxConsumeContext<T>> next,
        InboxRow cause
    )
        where T : class
    {
        var consuming = false;
        try
        {
            // :: Step 1
            await using var transaction = await db.BeginAsync(outbox.CancellationToken);
            if (!await db.ClaimAsync(cause, outbox.CancellationToken))
            {
                outbox.Close();
                return [];
            }

            // :: Step 2, and the flush of step 3
            outbox.AddOrUpdatePayload(() => new OutboxTransaction(transaction), _ => new OutboxTransaction(transaction));
            consuming = true;
            await next.Send(outbox);
            consuming = false;

            // :: Step 3. Not to be cancelled: a commit that was given up half way may have happened.
            await transaction.CommitAsync(CancellationToken.None);
            return [.. outbox.Captured.Where(row => row.NotBefore is null)];
        }
        catch (Exception reason)
        {
            // The scope may be older than this attempt and see the next one.
            db.ChangeTracker.Clear();
            if (!consuming)
            {
                // MassTransit tells what a consumer threw as Fault<T>, but not what happens around it.
                await outbox.CapturedContext.NotifyFaulted(
                    (ConsumeContext<T>)outbox.CapturedContext,
                    outbox.ReceiveContext.ElapsedTime,
                    options.ConsumerType,
                    reason
                );
            }

            throw;
        }
    }

    /// <summary>:: Step 4. Committed is consumed: nothing in here may fail the message, since the rows are the delivery loop's too.</summary>
    private async Task SendAsync(ConsumeContext context, IReadOnlyList<OutboxRow> unsent)
    {
        try
        {
            var sent = new List<long>(unsent.Count);
            foreach (var row in unsent)
            {
                if (await sender.TrySendAsync(context, row) is { } fault)
                {
                    // The rest would run into the same and hold up the endpoint; the delivery loop tries each by itself.
                    await sender.DeferAsync(db, row, fault, CancellationToken.None);
                    break;
                }

                sent.Add(row.SequenceNumber);
            }

            await removal.RemoveAsync(db, sent);
        }
#pragma warning disable CA1031 // The message is consumed, whatever happens now.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            Log.LeftInTable(logger, unsent.Count, reason);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            PersistenceEventIds.LeftInTable,
            LogLevel.Warning,
            "The outbox could not be written after a commit; up to {Count} messages stay in it and may be sent twice"
        )]
        public static partial void LeftInTable(ILogger logger, int count, Exception reason);
    }
}
