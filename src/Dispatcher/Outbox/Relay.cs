using System.Threading.Channels;
using Dispatcher.Base;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.Outbox;

/// <summary>
/// Sends what was just committed, from memory, and removes it from the outbox. What it cannot take or send stays in the table for <see cref="OutboxSweeper"/>:
/// nothing is lost with this process.
/// </summary>
internal sealed partial class Relay(IOutboxTransport transport, IStore store, ILogger<Relay> logger) : BackgroundService
{
    /// <summary>Messages on their way at once: enough to fill the pipe to the broker, few enough to be bounded.</summary>
    private const int Lanes = 4;
    private const int LargestBatch = 256;
    private const int LargestQueue = 16_384;

    /// <summary>
    /// Bytes of the bodies that wait or are being sent: work messages of the largest payloads would fill gigabytes otherwise.
    /// </summary>
    private const long MostBytes = 64 * 1024 * 1024;

    /// <summary>The same for replies, which carry results.</summary>
    private const long MostReplyBytes = 32 * 1024 * 1024;

    /// <summary>What does not fit is dropped here: the sweeper finds it in the table.</summary>
    private readonly Channel<OutboxMessage> _messages = Channel.CreateBounded<OutboxMessage>(LargestQueue);
    private readonly Channel<Reply> _replies = Channel.CreateBounded<Reply>(LargestQueue);
    private bool _isBrokerAway;
    private long _bytes;
    private long _replyBytes;

    /// <summary>Hands over messages whose rows are committed.</summary>
    public void Offer(IEnumerable<OutboxMessage> committed)
    {
        foreach (var message in committed)
        {
            if (Interlocked.Add(ref _bytes, message.Body.Length) > MostBytes || !_messages.Writer.TryWrite(message))
            {
                Interlocked.Add(ref _bytes, -message.Body.Length);
            }
        }
    }

    /// <summary>Hands over an answer. Never waits: one that does not fit is dropped, and whoever waits for it hands the job in again or asks over HTTP.</summary>
    public void Answer(Reply reply)
    {
        if (Interlocked.Add(ref _replyBytes, reply.Body.Length) > MostReplyBytes || !_replies.Writer.TryWrite(reply))
        {
            Interlocked.Add(ref _replyBytes, -reply.Body.Length);
            Log.ReplyFailed(logger, reply.Queue, "too many answers wait to be sent");
        }
    }

    /// <summary>
    /// Sends a batch and removes what was sent. What the broker refused is noted, each by itself, so that one bad message holds up nobody. What could not be sent
    /// because the broker is away is left as it is: its time in the table comes.
    /// </summary>
    public async Task SendAsync(IReadOnlyList<OutboxMessage> batch, CancellationToken cancellationToken)
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
            await store.DeferOutboxAsync(message.MessageId, refused!.Message, BackOff.After(message.Attempts), cancellationToken);
            Log.Refused(logger, message.MessageId, message.Exchange, message.RoutingKey, refused.Message);
        }

        if (faults.FirstOrDefault(fault => fault is not null and not MessageRefusedException) is { } away)
        {
            if (!Interlocked.Exchange(ref _isBrokerAway, true))
            {
                Log.BrokerAway(logger, batch.Count - sent.Count, away);
            }
        }
        else if (sent.Count > 0 && Interlocked.Exchange(ref _isBrokerAway, false))
        {
            Log.BrokerBack(logger);
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        Task.WhenAll([.. Enumerable.Range(0, Lanes).Select(_ => RelayAsync(stoppingToken)), AnswerAsync(stoppingToken)]);

    private async Task RelayAsync(CancellationToken stoppingToken)
    {
        var batch = new List<OutboxMessage>(LargestBatch);
        while (await _messages.Reader.WaitToReadAsync(stoppingToken))
        {
            batch.Clear();
            while (batch.Count < LargestBatch && _messages.Reader.TryRead(out var next))
            {
                batch.Add(next);
            }

            try
            {
                await SendAsync(batch, stoppingToken);
            }
#pragma warning disable CA1031 // The loop must live, whatever one round ran into.
            catch (Exception away) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                // Sent but not removed: the sweeper sends it once more, and the receiver drops it. An outage of the store is reported by the store.
                if (!away.IsOutage())
                {
                    Log.Away(logger, away);
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
#pragma warning disable CA1031 // One try: whoever waits can ask over HTTP.
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

    /// <summary>What went wrong; null: nothing.</summary>
    private async Task<Exception?> TrySendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        try
        {
            await transport.SendAsync(message, cancellationToken);
            return null;
        }
#pragma warning disable CA1031 // Whatever it is, the row stays and is tried again.
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
            "The broker is away; {Count} messages stay in the outbox, as do all that follow, until it is back"
        )]
        public static partial void BrokerAway(ILogger logger, int count, Exception reason);

        [LoggerMessage(EventIds.BrokerBack, LogLevel.Information, "The broker takes messages again; what stayed in the outbox follows")]
        public static partial void BrokerBack(ILogger logger);

        [LoggerMessage(
            EventIds.SendFailed,
            LogLevel.Error,
            "The broker refused message {MessageId} to {Exchange} with key {RoutingKey}; it stays in the outbox: {Reason}"
        )]
        public static partial void Refused(ILogger logger, Guid messageId, string exchange, string routingKey, string reason);

        [LoggerMessage(EventIds.RelayFailed, LogLevel.Warning, "The outbox could not be written; what was sent may be sent again")]
        public static partial void Away(ILogger logger, Exception reason);

        [LoggerMessage(EventIds.ReplyFailed, LogLevel.Debug, "An answer to {Queue} was not sent: {Reason}")]
        public static partial void ReplyFailed(ILogger logger, string queue, string reason);
    }
}
