namespace Dispatcher.Worker.RabbitMq;

/// <summary>
/// Sends the acks of one channel in few frames. For a quorum queue each ack frame is one replicated command, whether it acks one message
/// or many. All acks and nacks of the channel go through here: a frame for several messages must not include one that is in processing,
/// because a crash would lose it.
/// </summary>
/// <remarks>
/// An ack is sent at once. Acks that arrive during the send share the next frame, as far as all earlier deliveries are settled; an ack
/// behind a delivery in processing is sent alone.
/// </remarks>
/// <param name="send">Sends <c>basic.ack</c> of a tag; true: with <c>multiple</c>. Throws when the channel is closed.</param>
internal sealed class ChannelAcks(Func<ulong, bool, ValueTask> send)
{
    private readonly Lock _lock = new();
    private readonly SettledTags _settled = new();
    private readonly List<Ack> _waiting = [];
    private bool _isSending;

    /// <summary>Completes when the ack was sent. Throws what the send threw: the broker then redelivers the message.</summary>
    public Task AckAsync(ulong tag)
    {
        var ack = new Ack(tag);
        lock (_lock)
        {
            _settled.Add(tag);
            _waiting.Add(ack);
            if (!_isSending)
            {
                _isSending = true;
                // Behind the work that is ready to run and may add acks. Unsafe: the loop must not keep the context of one message.
                ThreadPool.UnsafeQueueUserWorkItem(static acks => _ = acks.SendUntilEmptyAsync(), this, preferLocal: false);
            }
        }

        return ack.Sent.Task;
    }

    /// <summary>Sends the nack of a tag at once.</summary>
    public async Task NackAsync(ulong tag, Func<ValueTask> nack)
    {
        await nack();
        lock (_lock)
        {
            // Not earlier: an ack frame that includes the tag could overtake the nack, and the message would be lost.
            _settled.Add(tag);
        }
    }

    // Never throws: the callers get every exception.
    private async Task SendUntilEmptyAsync()
    {
        while (Take() is var (together, alone))
        {
            await SendAsync(together);
            foreach (var ack in alone)
            {
                await SendAsync([ack]);
            }
        }
    }

    // Null: no ack waits, and the next one starts the loop again.
    private (List<Ack> Together, List<Ack> Alone)? Take()
    {
        lock (_lock)
        {
            if (_waiting.Count == 0)
            {
                _isSending = false;
                return null;
            }

            var together = _waiting.FindAll(ack => ack.Tag <= _settled.Prefix);
            var alone = _waiting.FindAll(ack => ack.Tag > _settled.Prefix);
            _waiting.Clear();
            return (together, alone);
        }
    }

    private async Task SendAsync(List<Ack> acks)
    {
        if (acks.Count == 0)
        {
            return;
        }

        try
        {
            // The last acked tag, not the end of the prefix: the broker closes the channel for a tag that was nacked or acked before.
            await send(acks.Max(ack => ack.Tag), acks.Count > 1);
            acks.ForEach(ack => ack.Sent.SetResult());
        }
#pragma warning disable CA1031 // The callers get every exception.
        catch (Exception exception)
#pragma warning restore CA1031
        {
            acks.ForEach(ack => ack.Sent.SetException(exception));
        }
    }

    private sealed record Ack(ulong Tag)
    {
        public TaskCompletionSource Sent { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
