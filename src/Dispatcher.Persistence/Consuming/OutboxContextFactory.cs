using Dispatcher.Persistence.Sending;
using Dispatcher.Persistence.Settings;
using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Consuming;

/// <summary>
/// Takes a message through inbox and outbox. The filter of MassTransit resolves this class in the scope of the message, and <c>next</c>
/// runs the consumer.
/// <list type="number">
/// <item>Begin a transaction and claim the message for this consumer. A duplicate skips to the last step.</item>
/// <item>Run the consumer and keep its sends in memory.</item>
/// <item>Flush once: the consumer's changes, the row of a saga, and a row for each send. Commit.</item>
/// <item>Send from memory without a lock. <see cref="OutboxDelivery{TDbContext}"/> sends the rows whose send failed.</item>
/// <item>Report the message as consumed. The acknowledgement follows.</item>
/// </list>
/// After a crash before the commit the database is unchanged, and the broker delivers again. A crash after the commit leaves rows, which
/// the delivery loop of any process sends when their lease has ended. The second delivery of the broker is then dropped as a duplicate.
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
                    "The inbox needs a MessageId to recognise duplicates. Set it on the message, or remove UseOutbox from the endpoint."
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

    /// <summary>Runs steps 1 to 3 and returns the rows to send now.</summary>
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

            // :: Step 3. Not cancelled: a commit that is interrupted may have happened.
            await transaction.CommitAsync(CancellationToken.None);
            return [.. outbox.Captured.Where(row => row.NotBefore is null)];
        }
        catch (Exception reason)
        {
            // The scope may be shared with the next attempt, which must not save these changes.
            db.ChangeTracker.Clear();
            if (!consuming)
            {
                // MassTransit publishes Fault<T> only for exceptions of the consumer, not for those of the outbox.
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

    /// <summary>
    /// :: Step 4. The message is committed, so a failure here must not fail it. The delivery loop sends the remaining rows.
    /// </summary>
    private async Task SendAsync(ConsumeContext context, IReadOnlyList<OutboxRow> unsent)
    {
        try
        {
            var sent = new List<long>(unsent.Count);
            foreach (var row in unsent)
            {
                if (await sender.TrySendAsync(context, row) is { } fault)
                {
                    // The other sends would probably fail too and delay the endpoint. The delivery loop tries each by itself.
                    await sender.DeferAsync(db, row, fault, CancellationToken.None);
                    break;
                }

                sent.Add(row.SequenceNumber);
            }

            await removal.RemoveAsync(db, sent);
        }
#pragma warning disable CA1031 // The message is consumed, so no failure may reach the bus.
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
            "Failed to update the outbox after a commit; up to {Count} messages stay in it and may be sent twice"
        )]
        public static partial void LeftInTable(ILogger logger, int count, Exception reason);
    }
}
