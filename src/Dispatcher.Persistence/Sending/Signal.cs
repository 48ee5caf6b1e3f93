using System.Threading.Channels;

namespace Dispatcher.Persistence.Sending;

/// <summary>
/// Starts a round of a loop. A signal that is set while the loop works is kept for the next wait, so none is lost. Several signals count as
/// one.
/// </summary>
internal class Signal
{
    private readonly Channel<bool> _set = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite }
    );

    public void Set() => _set.Writer.TryWrite(true);

    public async Task WaitAsync(CancellationToken cancellationToken) => await _set.Reader.ReadAsync(cancellationToken);
}

/// <summary>Set after a commit of messages that the delivery loop of this process should send.</summary>
internal sealed class OutboxSignal<TDbContext> : Signal;
