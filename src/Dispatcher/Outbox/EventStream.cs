using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Threading.Channels;
using Dispatcher.Contracts;

namespace Dispatcher.Outbox;

/// <summary>
/// Hands events to those who listen at <c>GET /api/events</c>. A listener gets what happens while it listens. The events come from this
/// process (embedded) or from the exchange of all servers; until that is connected nobody gets any, and when it is lost all streams end:
/// a gap must not look like silence.
/// </summary>
internal sealed class EventStream(bool isConnected)
{
    /// <summary>Streams at once of one key.</summary>
    public const int MostOfKey = 4;

    /// <summary>Streams at once of all keys.</summary>
    private const int Most = 200;

    /// <summary>Events that wait for one listener. One that falls further behind is cut off.</summary>
    private const int MostWaiting = 1_000;

    /// <summary>An event of ours has less than 2 KiB. Whatever is larger was not sent by a server.</summary>
    private const int LongestEvent = 65_536;

    private readonly Lock _lock = new();
    private readonly HashSet<EventListener> _listeners = [];
    private TaskCompletionSource _connected = Signal(isConnected);
    private TaskCompletionSource _wanted = Signal(false);

    /// <summary>Starts to listen. Null: the key, or all keys together, have as many streams as they may.</summary>
    /// <param name="keyId">The key that listens.</param>
    /// <param name="mayHear">Which events it may see.</param>
    public EventListener? Listen(string keyId, Func<JobEvent, bool> mayHear)
    {
        lock (_lock)
        {
            if (_listeners.Count >= Most || _listeners.Count(listener => listener.KeyId == keyId) >= MostOfKey)
            {
                return null;
            }

            var added = new EventListener(this, keyId, mayHear, MostWaiting);
            _listeners.Add(added);
            _wanted.TrySetResult();
            return added;
        }
    }

    /// <summary>Hands an event, as it was published, to those who may see it. Whatever is no event of ours is dropped.</summary>
    public void Publish(ReadOnlyMemory<byte> body)
    {
        if (!TryRead(body, out var happened))
        {
            return;
        }

        // Written anew: a streamed event has one line, whatever the format of its sender.
        var data = JsonSerializer.Serialize(happened, WireJson.Default.JobEvent);
        lock (_lock)
        {
            foreach (var listener in _listeners)
            {
                listener.Offer(happened, data);
            }
        }
    }

    /// <summary>Completes when events arrive.</summary>
    public Task ConnectedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _connected.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Completes when somebody listens.</summary>
    public Task WantedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _wanted.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Events arrive from now on.</summary>
    public void Connected()
    {
        lock (_lock)
        {
            _connected.TrySetResult();
        }
    }

    /// <summary>
    /// No events arrive any more, unless <paramref name="ifUnused"/> and somebody listens. Ends all streams; answers whether it did.
    /// </summary>
    public bool Disconnect(bool ifUnused = false)
    {
        lock (_lock)
        {
            if (ifUnused && _listeners.Count > 0)
            {
                return false;
            }

            foreach (var listener in _listeners)
            {
                listener.End();
            }

            _connected = Signal(false);
            _wanted = Signal(false);
            return true;
        }
    }

    public void Remove(EventListener listener)
    {
        lock (_lock)
        {
            _listeners.Remove(listener);
        }
    }

    private static bool TryRead(ReadOnlyMemory<byte> body, [NotNullWhen(true)] out JobEvent? happened)
    {
        happened = null;
        try
        {
            happened = body.Length > LongestEvent ? null : JsonSerializer.Deserialize(body.Span, WireJson.Default.JobEvent);
        }
        catch (JsonException)
        {
            // Not an event of ours.
        }

        return happened is not null && EventNames.All.Contains(happened.Event);
    }

    private static TaskCompletionSource Signal(bool isSet)
    {
        var signal = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (isSet)
        {
            signal.SetResult();
        }

        return signal;
    }
}

/// <summary>
/// One who listens, and what waits for it. Ends when it is disposed, when it falls behind, or when the events cannot be had any more.
/// </summary>
internal sealed class EventListener(EventStream stream, string keyId, Func<JobEvent, bool> mayHear, int mostWaiting) : IDisposable
{
    private readonly Channel<StreamedEvent> _waiting = Channel.CreateBounded<StreamedEvent>(mostWaiting);

    public string KeyId => keyId;

    /// <summary>Completes at the end of the stream.</summary>
    public ChannelReader<StreamedEvent> Events => _waiting.Reader;

    public void Offer(JobEvent happened, string data)
    {
        if (mayHear(happened) && !_waiting.Writer.TryWrite(new StreamedEvent(happened.EventId, happened.Event, data)))
        {
            End();
        }
    }

    public void End() => _waiting.Writer.TryComplete();

    public void Dispose()
    {
        stream.Remove(this);
        End();
    }
}

/// <summary>An event on its way to a listener; the data is one line of JSON.</summary>
internal sealed record StreamedEvent(Guid EventId, string Name, string Data);
