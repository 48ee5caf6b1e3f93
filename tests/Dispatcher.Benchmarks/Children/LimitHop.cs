using System.Threading.Channels;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.Benchmarks.Children;

/// <summary>
/// One hop: takes what has arrived, at most 200 messages, commits it, acks with <c>multiple</c>, and sends while the next batch commits.
/// Messages that are in no outbox are confirmed before the ack.
/// </summary>
internal sealed class LimitHop
{
    private const int MaxBatch = 200;
    private const int Prefetch = 4 * MaxBatch;

    private readonly IChannel _channel;
    private readonly ConfirmedSends _sends;
    private readonly Func<IReadOnlyList<LimitDelivery>, Task<IReadOnlyList<LimitMessage>>> _commit;
    private readonly Func<IReadOnlyList<LimitMessage>, Task> _sent;
    private readonly Channel<LimitDelivery> _arrived = Channel.CreateUnbounded<LimitDelivery>(new() { SingleReader = true });

    private LimitHop(
        IChannel channel,
        ConfirmedSends sends,
        Func<IReadOnlyList<LimitDelivery>, Task<IReadOnlyList<LimitMessage>>> commit,
        Func<IReadOnlyList<LimitMessage>, Task> sent
    ) => (_channel, _sends, _commit, _sent) = (channel, sends, commit, sent);

    public static async Task<LimitHop> StartAsync(
        IConnection connection,
        string queue,
        Func<IReadOnlyList<LimitDelivery>, Task<IReadOnlyList<LimitMessage>>> commit,
        Func<IReadOnlyList<LimitMessage>, Task> sent,
        CancellationToken cancellationToken
    )
    {
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        var hop = new LimitHop(channel, await ConfirmedSends.OpenAsync(connection, cancellationToken), commit, sent);
        await channel.BasicQosAsync(0, Prefetch, false, cancellationToken);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            hop._arrived.Writer.TryWrite(
                new LimitDelivery(delivery.DeliveryTag, Guid.Parse(delivery.BasicProperties.MessageId!), delivery.Body.ToArray())
            );
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: false, consumer, cancellationToken);
        return hop;
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        var sending = Task.CompletedTask;
        List<LimitDelivery> batch = [];
        while (await _arrived.Reader.WaitToReadAsync(cancellationToken))
        {
            batch.Clear();
            while (batch.Count < MaxBatch && _arrived.Reader.TryRead(out var delivery))
            {
                batch.Add(delivery);
            }

            var messages = await _commit(batch);
            await sending;
            sending = SendAsync(messages, cancellationToken);
            if (messages is [{ Stored: false }, ..])
            {
                await sending;
            }

            await _channel.BasicAckAsync(batch[^1].Tag, multiple: true, cancellationToken);
        }
    }

    private async Task SendAsync(IReadOnlyList<LimitMessage> messages, CancellationToken cancellationToken)
    {
        await _sends.SendAsync(messages, cancellationToken);
        await _sent(messages);
    }
}
