using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Logging;
using MassTransit.Middleware;
using MassTransit.Serialization;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence.Sending;

/// <summary>Sends a captured message, and notes when that fails.</summary>
internal sealed partial class OutboxSender<TDbContext>(
    IOptionsMonitor<OutboxOptions> options,
    TimeProvider clock,
    ILogger<OutboxSender<TDbContext>> logger
)
    where TDbContext : DbContext
{
    private readonly OutboxOptions _options = options.Get(typeof(TDbContext).Name);

    /// <summary>What went wrong; null: it is sent. Not to be cancelled from outside: nobody would know whether it was sent.</summary>
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
#pragma warning disable CA1031 // Whatever it is, the row stays and is tried again.
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

    /// <summary>Lets the row wait longer with each failure, and in the end for a person.</summary>
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
            "Message {MessageId} to {Destination} was not sent, {Attempts} times so far; it stays in the outbox and is tried again in {Pause}"
        )]
        public static partial void Failed(ILogger logger, Guid messageId, Uri? destination, int attempts, TimeSpan pause, Exception reason);

        [LoggerMessage(
            PersistenceEventIds.Parked,
            LogLevel.Error,
            "Message {MessageId} to {Destination} was not sent in {Attempts} attempts and is parked; set next_at of outbox row {SequenceNumber} to 0 to try again"
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
