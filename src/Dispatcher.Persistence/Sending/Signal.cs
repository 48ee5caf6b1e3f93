using System.Threading.Channels;

namespace Dispatcher.Persistence.Sending;

/// <summary>Wakes a loop. What is set while nobody waits is kept for the next wait, so that no wake-up is lost; more than one is as good as one.</summary>
internal class Signal
{
    private readonly Channel<bool> _set = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    public void Set() => _set.Writer.TryWrite(true);

    public async Task WaitAsync(CancellationToken cancellationToken) => await _set.Reader.ReadAsync(cancellationToken);
}

/// <summary>Set when messages were committed that the delivery loop of this process should look for.</summary>
internal sealed class OutboxSignal<TDbContext> : Signal;
