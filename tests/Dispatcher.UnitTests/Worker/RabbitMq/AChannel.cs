using System.Collections.Concurrent;

namespace Dispatcher.UnitTests.Worker.RabbitMq;

/// <summary>
/// A channel with the rules of the broker: it numbers its deliveries from 1, keeps those that are not settled, and closes for a tag that
/// it does not keep. Its consumer has processed the messages in <see cref="Processed"/>.
/// </summary>
internal sealed class AChannel
{
    private readonly Lock _lock = new();
    private readonly SortedSet<ulong> _unsettled = [];
    private ulong _last;

    /// <summary>The frames in the order in which the broker got them, for example <c>ack ..3</c>, <c>ack 5</c> and <c>nack 4</c>.</summary>
    public ConcurrentQueue<string> Frames { get; } = new();

    public ConcurrentDictionary<ulong, bool> Processed { get; } = new();

    /// <summary>What a consumer or broker must never see: a second answer to a tag, or an ack of a message in processing.</summary>
    public ConcurrentQueue<string> Faults { get; } = new();

    /// <summary>A send waits for it.</summary>
    public Func<Task> Socket { get; set; } = () => Task.CompletedTask;

    public bool IsClosed { get; set; }

    public int Unsettled
    {
        get
        {
            lock (_lock)
            {
                return _unsettled.Count;
            }
        }
    }

    public ulong Deliver()
    {
        lock (_lock)
        {
            _unsettled.Add(++_last);
            return _last;
        }
    }

    public async ValueTask AckAsync(ulong tag, bool multiple)
    {
        await Socket();
        ObjectDisposedException.ThrowIf(IsClosed, this);
        lock (_lock)
        {
            Frames.Enqueue(multiple ? $"ack ..{tag}" : $"ack {tag}");
            Settle(tag, multiple ? [.. _unsettled.Where(kept => kept <= tag)] : [tag]);
        }
    }

    public async ValueTask NackAsync(ulong tag)
    {
        await Socket();
        ObjectDisposedException.ThrowIf(IsClosed, this);
        lock (_lock)
        {
            Frames.Enqueue($"nack {tag}");
            Processed[tag] = true;
            Settle(tag, [tag]);
        }
    }

    private void Settle(ulong named, ulong[] tags)
    {
        if (!_unsettled.Contains(named))
        {
            Faults.Enqueue($"unknown delivery tag {named}");
        }

        foreach (var tag in tags.Where(tag => !Processed.ContainsKey(tag)))
        {
            Faults.Enqueue($"message {tag} is settled while it is in processing");
        }

        _unsettled.ExceptWith(tags);
    }
}
