using Dispatcher.Worker.RabbitMq;

namespace Dispatcher.UnitTests.Worker.RabbitMq;

public sealed class ChannelAcksTests
{
    private readonly AChannel _channel = new();
    private readonly ChannelAcks _acks;

    public ChannelAcksTests() => _acks = new ChannelAcks(_channel.AckAsync);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact(Timeout = 60_000)]
    public async Task Ack_after_a_rest_is_sent_at_once()
    {
        Deliver(1);

        await _acks.AckAsync(1);

        Assert.Equal(["ack 1"], _channel.Frames);
    }

    [Fact(Timeout = 60_000)]
    public async Task Acks_that_arrive_during_a_send_share_the_next_frame()
    {
        Deliver(3);

        await WhileSendingAsync(1, () => Task.WhenAll(_acks.AckAsync(2), _acks.AckAsync(3)));

        Assert.Equal(["ack 1", "ack ..3"], _channel.Frames);
    }

    [Fact(Timeout = 60_000)]
    public async Task Ack_behind_a_message_in_processing_is_sent_alone()
    {
        Deliver(2);

        await _acks.AckAsync(2);

        Assert.Equal(["ack 2"], _channel.Frames);
    }

    [Fact(Timeout = 60_000)]
    public async Task Frame_names_an_acked_tag_although_a_later_one_was_nacked()
    {
        Deliver(4);

        await _acks.NackAsync(4, () => _channel.NackAsync(4));
        await WhileSendingAsync(1, () => Task.WhenAll(_acks.AckAsync(2), _acks.AckAsync(3)));

        Assert.Equal(["nack 4", "ack 1", "ack ..3"], _channel.Frames);
        Assert.Empty(_channel.Faults);
    }

    [Fact(Timeout = 60_000)]
    public async Task Frame_includes_no_message_whose_nack_is_not_sent()
    {
        Deliver(3);
        var socket = new TaskCompletionSource();

        var nack = _acks.NackAsync(
            2,
            async () =>
            {
                await socket.Task;
                await _channel.NackAsync(2);
            }
        );
        await Task.WhenAll(_acks.AckAsync(1), _acks.AckAsync(3));
        socket.SetResult();
        await nack;

        Assert.Equal(["ack 1", "ack 3", "nack 2"], _channel.Frames.Order());
        Assert.Empty(_channel.Faults);
    }

    [Fact(Timeout = 60_000)]
    public async Task Nack_that_failed_does_not_settle_its_message()
    {
        Deliver(2);

        await Assert.ThrowsAsync<OperationCanceledException>(() => _acks.NackAsync(1, () => throw new OperationCanceledException()));
        await _acks.AckAsync(2);

        Assert.Equal(["ack 2"], _channel.Frames);
    }

    [Fact(Timeout = 60_000)]
    public async Task Acks_fail_when_the_channel_is_closed()
    {
        Deliver(4);
        await _acks.AckAsync(1);

        _channel.IsClosed = true;

        foreach (var ack in new[] { _acks.AckAsync(2), _acks.AckAsync(3), _acks.AckAsync(4) })
        {
            await Assert.ThrowsAsync<ObjectDisposedException>(() => ack);
        }

        Assert.Equal(["ack 1"], _channel.Frames);
    }

    /// <summary>Consumers on several threads, in any order, with nacks and a slow socket, against the rules of the broker.</summary>
    [Theory(Timeout = 120_000)]
    [InlineData(1, 0)]
    [InlineData(2, 0)]
    [InlineData(3, 3)]
    [InlineData(4, 3)]
    public async Task Every_message_is_settled_once_and_never_while_it_is_in_processing(int seed, int longMs)
    {
        const int messages = 4000;
        const int prefetch = 100;
        var random = new Random(seed);
        var delay = TimeSpan.FromMilliseconds(longMs);
        _channel.Socket = async () => await Task.Yield();
        using var slots = new SemaphoreSlim(prefetch);
        var running = new List<Task>();

        for (var i = 0; i < messages; i++)
        {
            await slots.WaitAsync(Stop);
            running.Add(ProcessAsync(_channel.Deliver(), random.Next(20), isNacked: random.Next(10) == 0));
        }

        await Task.WhenAll(running);
        Assert.Empty(_channel.Faults);
        Assert.Equal(0, _channel.Unsettled);

        async Task ProcessAsync(ulong tag, int steps, bool isNacked)
        {
            for (var step = 0; step <= steps; step++)
            {
                await Task.Yield();
            }

            // Some messages are in processing for long.
            await Task.Delay(steps == 0 ? delay : TimeSpan.Zero, Stop);
            if (isNacked)
            {
                await _acks.NackAsync(tag, () => _channel.NackAsync(tag));
            }
            else
            {
                _channel.Processed[tag] = true;
                await _acks.AckAsync(tag);
            }

            slots.Release();
        }
    }

    /// <summary>Acks a tag, and does something else while its frame is being sent.</summary>
    private async Task WhileSendingAsync(ulong tag, Func<Task> others)
    {
        var (begun, socket) = (new TaskCompletionSource(), new TaskCompletionSource());
        _channel.Socket = () =>
        {
            begun.TrySetResult();
            return socket.Task;
        };
        var first = _acks.AckAsync(tag);
        await begun.Task;
        var rest = others();
        socket.SetResult();
        await first;
        await rest;
    }

    private void Deliver(int messages)
    {
        for (var i = 0; i < messages; i++)
        {
            _channel.Processed[_channel.Deliver()] = true;
        }
    }
}
