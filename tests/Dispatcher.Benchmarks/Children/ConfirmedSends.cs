using RabbitMQ.Client;

namespace Dispatcher.Benchmarks.Children;

/// <summary>Sends batches on a channel of its own and waits until the broker has confirmed the whole batch.</summary>
internal sealed class ConfirmedSends
{
    private readonly IChannel _channel;
    private readonly Lock _lock = new();
    private bool[] _open = [];
    private int _count;
    private ulong _first;
    private ulong _next = 1;
    private TaskCompletionSource _confirmed = new();

    private ConfirmedSends(IChannel channel)
    {
        _channel = channel;
        channel.BasicAcksAsync += (_, ack) =>
        {
            Confirm(ack.DeliveryTag, ack.Multiple);
            return Task.CompletedTask;
        };
        channel.BasicNacksAsync += (_, nack) =>
        {
            _confirmed.TrySetException(new InvalidOperationException($"The broker refused message {nack.DeliveryTag}."));
            return Task.CompletedTask;
        };
    }

    public static async Task<ConfirmedSends> OpenAsync(IConnection connection, CancellationToken cancellationToken) =>
        new(
            await connection.CreateChannelAsync(
                new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: false),
                cancellationToken
            )
        );

    /// <summary>Callers take turns.</summary>
    public async Task SendAsync(IReadOnlyList<LimitMessage> messages, CancellationToken cancellationToken)
    {
        if (messages.Count == 0)
        {
            return;
        }

        var confirmed = Begin(messages.Count);
        foreach (var message in messages)
        {
            var properties = new BasicProperties { MessageId = message.JobId.ToString(), DeliveryMode = DeliveryModes.Persistent };
            await _channel.BasicPublishAsync(message.Exchange, message.RoutingKey, false, properties, message.Body, cancellationToken);
        }

        await confirmed;
    }

    private Task Begin(int count)
    {
        lock (_lock)
        {
            _open = new bool[count];
            Array.Fill(_open, true);
            (_count, _first) = (count, _next);
            _next += (ulong)count;
            _confirmed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _confirmed.Task;
        }
    }

    private void Confirm(ulong tag, bool multiple)
    {
        lock (_lock)
        {
            var last = (int)(tag - _first);
            for (var i = multiple ? 0 : last; i <= last; i++)
            {
                if (_open[i])
                {
                    _open[i] = false;
                    _count--;
                }
            }

            if (_count == 0)
            {
                _confirmed.TrySetResult();
            }
        }
    }
}
