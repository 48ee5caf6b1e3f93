using Dispatcher.Persistence.Settings;
using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Logging;
using MassTransit.Middleware;
using MassTransit.Serialization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Sending;

/// <summary>Sends a captured message, and stores the failure if that fails.</summary>
internal sealed partial class OutboxSender<TDbContext>(
    IOptionsMonitor<OutboxOptions> options,
    TimeProvider clock,
    ILogger<OutboxSender<TDbContext>> logger
)
    where TDbContext : DbContext
{
    private readonly OutboxOptions _options = options.Get(typeof(TDbContext).Name);

    /// <summary>
    /// Returns the failure; null: the message is sent. Callers cannot cancel it, because then it would be unknown whether it was sent.
    /// </summary>
    public async Task<Exception?> TrySendAsync(ISendEndpointProvider endpoints, OutboxRow row)
    {
        using var timeout = new CancellationTokenSource(_options.SendTimeout, clock);
        var activity = LogContext.Current?.StartOutboxDeliverActivity(row);
        try
        {
            var address = row.DestinationAddress ?? throw new InvalidOperationException("The message has no destination address.");
            var endpoint = await endpoints.GetSendEndpoint(address).WaitAsync(timeout.Token);
            await endpoint
                .Send(new SerializedMessageBody(), new OutboxMessageSendPipe(row, address), timeout.Token)
                .WaitAsync(timeout.Token);
            return null;
        }
#pragma warning disable CA1031 // After any failure the row stays and is tried again.
        catch (Exception reason)
#pragma warning restore CA1031
        {
            activity?.AddExceptionEvent(reason);
            return timeout.IsCancellationRequested ? new TimeoutException($"Not sent within {_options.SendTimeout}.", reason) : reason;
        }
        finally
        {
            activity?.Stop();
        }
    }

    /// <summary>Postpones the row, longer with each failure, and parks it after the last attempt.</summary>
    public async Task DeferAsync(DbContext db, OutboxRow row, Exception fault, CancellationToken cancellationToken)
    {
        var pause = BackOff.After(row.Attempts + 1, _options.MaxAttempts);
        await db.DeferAsync(row, fault.Message, clock.GetUtcNow() + pause, cancellationToken);
        if (pause is { } wait)
        {
            Log.Failed(logger, row.MessageId, row.DestinationAddress, row.Attempts + 1, wait, fault);
        }
        else
        {
            Log.Parked(logger, row.MessageId, row.DestinationAddress, row.Attempts + 1, row.SequenceNumber, fault);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            PersistenceEventIds.SendFailed,
            LogLevel.Warning,
            "Failed to send message {MessageId} to {Destination}, {Attempts} times so far; it stays in the outbox, next attempt in {Pause}"
        )]
        public static partial void Failed(ILogger logger, Guid messageId, Uri? destination, int attempts, TimeSpan pause, Exception reason);

        [LoggerMessage(
            PersistenceEventIds.Parked,
            LogLevel.Error,
            "Message {MessageId} to {Destination} is parked after {Attempts} failed attempts; "
                + "set next_at of outbox row {SequenceNumber} to 0 to try again"
        )]
        public static partial void Parked(
            ILogger logger,
            Guid messageId,
            Uri? destination,
            int attempts,
            long sequenceNumber,
            Exception reason
        );
    }
}
