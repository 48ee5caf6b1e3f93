using System.Threading.Channels;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Outbox;

/// <summary>
/// Sends committed messages from memory and deletes their rows. A message that it cannot take or send stays in the table for
/// <see cref="OutboxSweeper"/>, so that no message is lost with this process.
/// </summary>
internal sealed partial class Relay(IOutboxTransport transport, IStore store, ILogger<Relay> logger) : BackgroundService
{
    /// <summary>Concurrent batches: enough to use the whole connection to the broker.</summary>
    private const int Lanes = 4;
    private const int MaxBatch = 256;
    private const int MaxQueue = 16_384;

    /// <summary>
    /// Bytes of the bodies in memory. Without the limit, work messages with large payloads could take gigabytes.
    /// </summary>
    private const long MaxBytes = 64 * 1024 * 1024;

    /// <summary>The same for replies, which have results.</summary>
    private const long MaxReplyBytes = 32 * 1024 * 1024;

    /// <summary>A message that does not fit stays in the table, and the sweeper sends it.</summary>
    private readonly Channel<OutboxMessage> _messages = Channel.CreateBounded<OutboxMessage>(MaxQueue);
    private readonly Channel<Reply> _replies = Channel.CreateBounded<Reply>(MaxQueue);
    private bool _isBrokerUnavailable;
    private long _bytes;
    private long _replyBytes;

    /// <summary>Takes messages whose rows are committed.</summary>
    public void Offer(IEnumerable<OutboxMessage> committed)
    {
        foreach (var message in committed)
        {
            if (Interlocked.Add(ref _bytes, message.Body.Length) > MaxBytes || !_messages.Writer.TryWrite(message))
            {
                Interlocked.Add(ref _bytes, -message.Body.Length);
            }
        }
    }

    /// <summary>
    /// Takes a reply. Never waits: a reply that does not fit is dropped, and its submitter repeats the submission or reads the job over
    /// HTTP.
    /// </summary>
    public void Answer(Reply reply)
    {
        if (Interlocked.Add(ref _replyBytes, reply.Body.Length) > MaxReplyBytes || !_replies.Writer.TryWrite(reply))
        {
            Interlocked.Add(ref _replyBytes, -reply.Body.Length);
            Log.ReplyFailed(logger, reply.Queue, "too many replies wait to be sent");
        }
    }

    /// <summary>
    /// Sends a batch and deletes the sent rows. Each refused message is deferred alone, so that it does not block the others. While the
    /// broker is unavailable the other rows stay as they are; the sweeper takes them when they are due. Returns how many it sent.
    /// </summary>
    public async Task<int> SendAsync(IReadOnlyList<OutboxMessage> batch, CancellationToken cancellationToken)
    {
        var faults = await Task.WhenAll(batch.Select(message => TrySendAsync(message, cancellationToken)));
        var sent = batch.Where((_, i) => faults[i] is null).Select(message => message.MessageId).ToList();
        if (sent.Count > 0)
        {
            await store.DeleteOutboxAsync(sent, cancellationToken);
        }

        foreach (
            var (message, refused) in batch
                .Zip(faults.Select(fault => fault as MessageRefusedException))
                .Where(pair => pair.Second is not null)
        )
        {
            await store.DeferOutboxAsync(message.MessageId, refused!.Message, OutboxRetryDelay.After(message.Attempts), cancellationToken);
            Log.Refused(logger, message.MessageId, message.Exchange, message.RoutingKey, refused.Message);
        }

        if (faults.FirstOrDefault(fault => fault is not null and not MessageRefusedException) is { } unavailable)
        {
            if (!Interlocked.Exchange(ref _isBrokerUnavailable, true))
            {
                Log.BrokerUnavailable(logger, batch.Count - sent.Count, unavailable);
            }
        }
        else if (sent.Count > 0 && Interlocked.Exchange(ref _isBrokerUnavailable, false))
        {
            Log.BrokerBack(logger);
        }

        return sent.Count;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll([.. Enumerable.Range(0, Lanes).Select(_ => RelayAsync(stoppingToken)), AnswerAsync(stoppingToken)]);

    private async Task RelayAsync(CancellationToken stoppingToken)
    {
        var batch = new List<OutboxMessage>(MaxBatch);
        while (await _messages.Reader.WaitToReadAsync(stoppingToken))
        {
            batch.Clear();
            while (batch.Count < MaxBatch && _messages.Reader.TryRead(out var next))
            {
                batch.Add(next);
            }

            try
            {
                await SendAsync(batch, stoppingToken);
            }
#pragma warning disable CA1031 // The loop must continue after any fault of a round.
            catch (Exception unavailable) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                // Sent and not deleted: the sweeper sends it again, and the receiver drops it. StoreHealth logs an outage of the store.
                if (!unavailable.IsOutage())
                {
                    Log.NotDeleted(logger, unavailable);
                }
            }
            finally
            {
                Interlocked.Add(ref _bytes, -batch.Sum(message => (long)message.Body.Length));
            }
        }
    }

    private async Task AnswerAsync(CancellationToken stoppingToken)
    {
        await foreach (var reply in _replies.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                await transport.ReplyAsync(reply, stoppingToken);
            }
#pragma warning disable CA1031 // One try: the submitter can read the job over HTTP.
            catch (Exception reason) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.ReplyFailed(logger, reply.Queue, reason.Message);
            }
            finally
            {
                Interlocked.Add(ref _replyBytes, -reply.Body.Length);
            }
        }
    }

    /// <summary>Returns the fault, or null when the message was sent.</summary>
    private async Task<Exception?> TrySendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        try
        {
            await transport.SendAsync(message, cancellationToken);
            return null;
        }
#pragma warning disable CA1031 // After any fault the row stays, and sending is retried.
        catch (Exception reason) when (!cancellationToken.IsCancellationRequested)
#pragma warning restore CA1031
        {
            return reason;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.BrokerAway,
            LogLevel.Warning,
            "The broker is unavailable; {Count} messages and all later ones stay in the outbox until it is available"
        )]
        public static partial void BrokerUnavailable(ILogger logger, int count, Exception reason);

        [LoggerMessage(EventIds.BrokerBack, LogLevel.Information, "The broker takes messages again; the messages in the outbox are sent")]
        public static partial void BrokerBack(ILogger logger);

        [LoggerMessage(
            EventIds.SendFailed,
            LogLevel.Error,
            "The broker refused message {MessageId} to {Exchange} with key {RoutingKey}; it stays in the outbox: {Reason}"
        )]
        public static partial void Refused(ILogger logger, Guid messageId, string exchange, string routingKey, string reason);

        [LoggerMessage(EventIds.RelayFailed, LogLevel.Warning, "The outbox could not be updated; sent messages may be sent again")]
        public static partial void NotDeleted(ILogger logger, Exception reason);

        [LoggerMessage(EventIds.ReplyFailed, LogLevel.Debug, "The reply to {Queue} was not sent: {Reason}")]
        public static partial void ReplyFailed(ILogger logger, string queue, string reason);
    }
}
