using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Threading.Channels;
using Dispatcher.Contracts;

namespace Dispatcher.Outbox;

/// <summary>
/// Delivers events to the listeners of <c>GET /api/events</c>. A listener gets the events that happen while it listens. They come from this
/// process (embedded) or from the exchange of all servers. When the connection to that exchange is lost, all streams end, so that a
/// listener can distinguish a gap from a time without events.
/// </summary>
internal sealed class EventStream(bool isConnected)
{
    /// <summary>Concurrent streams of one API key.</summary>
    public const int MaxOfKey = 4;

    /// <summary>Concurrent streams of all API keys.</summary>
    private const int Max = 200;

    /// <summary>Events that wait for one listener. The stream of a listener that falls further behind ends.</summary>
    private const int MaxWaiting = 1_000;

    /// <summary>An event of a server has less than 2 KiB. A longer body was not sent by a server.</summary>
    private const int MaxEventBytes = 65_536;

    private readonly Lock _lock = new();
    private readonly HashSet<EventListener> _listeners = [];
    private TaskCompletionSource _connected = Signal(isConnected);
    private TaskCompletionSource _wanted = Signal(false);

    /// <summary>Opens a stream. Null: the key, or all keys together, have the maximum number of streams.</summary>
    /// <param name="keyId">The key that listens.</param>
    /// <param name="mayHear">Whether the key may read an event.</param>
    public EventListener? Listen(string keyId, Func<JobEvent, bool> mayHear)
    {
        lock (_lock)
        {
            if (_listeners.Count >= Max || _listeners.Count(listener => listener.KeyId == keyId) >= MaxOfKey)
            {
                return null;
            }

            var added = new EventListener(this, keyId, mayHear, MaxWaiting);
            _listeners.Add(added);
            _wanted.TrySetResult();
            return added;
        }
    }

    /// <summary>Delivers a published event to the listeners that may read it. Drops a body that is not an event of a server.</summary>
    public void Publish(ReadOnlyMemory<byte> body)
    {
        if (!TryRead(body, out var happened))
        {
            return;
        }

        // Serialized again: a streamed event has one line, for any format of the body.
        var data = JsonSerializer.Serialize(happened, WireJson.Default.JobEvent);
        lock (_lock)
        {
            foreach (var listener in _listeners)
            {
                listener.Offer(happened, data);
            }
        }
    }

    /// <summary>Completes when the stream is connected to its source.</summary>
    public Task ConnectedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _connected.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Completes when there is a listener.</summary>
    public Task WantedAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _wanted.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Reports that the source is connected.</summary>
    public void Connected()
    {
        lock (_lock)
        {
            _connected.TrySetResult();
        }
    }

    /// <summary>
    /// Ends all streams, because the source is disconnected. With <paramref name="ifUnused"/> it does so only without listeners. Returns
    /// whether it ended them.
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
            happened = body.Length > MaxEventBytes ? null : JsonSerializer.Deserialize(body.Span, WireJson.Default.JobEvent);
        }
        catch (JsonException)
        {
            // Not an event of a server.
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
/// One listener and its queue of events. The stream ends when it is disposed, when it falls behind, or when the source is disconnected.
/// </summary>
internal sealed class EventListener(EventStream stream, string keyId, Func<JobEvent, bool> mayHear, int maxWaiting) : IDisposable
{
    private readonly Channel<StreamedEvent> _waiting = Channel.CreateBounded<StreamedEvent>(maxWaiting);

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

/// <summary>An event for a listener. The data is one line of JSON.</summary>
internal sealed record StreamedEvent(Guid EventId, string Name, string Data);
