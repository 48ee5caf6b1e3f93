using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A relay to a server that can be cut, as by a crash, or held, as by a network that drops every packet. Other tests do not go through it.
/// </summary>
internal sealed class TcpGate : IAsyncDisposable
{
    private readonly int _target;
    private readonly Action<Memory<byte>>? _change;
    private readonly ConcurrentDictionary<Socket, Socket> _pairs = [];
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _tasks = [];
    private TaskCompletionSource _flows = new();
    private Socket? _listener;
    private int _connections;

    /// <param name="target">Port of the server.</param>
    /// <param name="change">Changes bytes that the server sends. Null: they stay.</param>
    public TcpGate(int target, Action<Memory<byte>>? change = null)
    {
        _target = target;
        _change = change;
        Port = Servers.FreePort();
        _flows.SetResult();
        Open();
    }

    public int Port { get; }

    /// <summary>How many connections it has accepted.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Connections are accepted again.</summary>
    public void Open()
    {
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, Port));
        _listener.Listen();
        _tasks.Add(AcceptAsync(_listener));
    }

    /// <summary>Connections end, and new ones are refused.</summary>
    public void Cut()
    {
        _listener?.Dispose();
        foreach (var (near, far) in _pairs)
        {
            near.Close(0);
            far.Close(0);
        }

        _pairs.Clear();
    }

    /// <summary>Connections stay and are made, and nothing goes through.</summary>
    public void Hold() => _flows = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Held bytes go through.</summary>
    public void Release() => _flows.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        Release();
        Cut();
        await Task.WhenAll(_tasks);
        _end.Dispose();
    }

    private async Task AcceptAsync(Socket listener)
    {
        try
        {
            while (true)
            {
                var near = await listener.AcceptAsync(_end.Token);
                Interlocked.Increment(ref _connections);
                var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                _pairs[near] = far;
                await far.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _target), _end.Token);
                _tasks.Add(PumpAsync(near, far, change: null));
                _tasks.Add(PumpAsync(far, near, _change));
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Cut.
        }
    }

    private async Task PumpAsync(Socket from, Socket to, Action<Memory<byte>>? change)
    {
        var buffer = new byte[65_536];
        try
        {
            int read;
            while ((read = await from.ReceiveAsync(buffer, _end.Token)) > 0)
            {
                change?.Invoke(buffer.AsMemory(0, read));
                await _flows.Task.WaitAsync(_end.Token);
                for (var sent = 0; sent < read; )
                {
                    sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), _end.Token);
                }
            }
        }
        catch (Exception ended) when (ended is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Cut, or one side closed.
        }

        from.Dispose();
        to.Dispose();
        _pairs.TryRemove(from, out _);
        _pairs.TryRemove(to, out _);
    }
}
