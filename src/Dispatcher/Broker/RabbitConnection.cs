using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>The server's own connection to RabbitMQ, beside MassTransit's: for declaring and for the relay. Opened when needed, opened again when lost.</summary>
internal sealed class RabbitConnection(Uri address, string name) : IAsyncDisposable
{
    /// <summary>
    /// For every connection of ours: the client closes a connection whose peer sends a larger body, and the broker would send it again. RabbitMQ accepts at most 512 MiB, however it is configured.
    /// </summary>
    public const uint LargestMessage = 1_073_741_824;

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly ConnectionFactory _factory = new()
    {
        Uri = address,
        ClientProvidedName = name,
        MaxInboundMessageBodySize = LargestMessage,

        // Opened again by who needs it: the client's own recovery would bring channels back whose confirms nobody waits for.
        AutomaticRecoveryEnabled = false,
    };

    private IConnection? _connection;

    /// <summary>The broker user of the server, as which it publishes.</summary>
    public string User => _factory.UserName;

    /// <summary>Why the broker takes no messages from this connection now: a memory or disk alarm. Null: it does, or was not asked to.</summary>
    public string? Blocked { get; private set; }

    public async Task<IConnection> OpenAsync(CancellationToken cancellationToken)
    {
        if (_connection is { IsOpen: true } open)
        {
            return open;
        }

        await _one.WaitAsync(cancellationToken);
        try
        {
            if (_connection is not { IsOpen: true })
            {
                await CloseAsync();
                _connection = await _factory.CreateConnectionAsync(cancellationToken);
                Blocked = null;
                _connection.ConnectionBlockedAsync += (_, alarm) => Become(alarm.Reason);
                _connection.ConnectionUnblockedAsync += (_, _) => Become(null);
            }

            return _connection;
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _one.Dispose();
    }

    private Task Become(string? blocked)
    {
        Blocked = blocked;
        return Task.CompletedTask;
    }

    private async Task CloseAsync()
    {
        if (_connection is { } old)
        {
            _connection = null;
            await old.DisposeAsync();
        }
    }
}

/// <summary>One channel of a kind, opened when needed, opened again when lost.</summary>
internal sealed class RabbitChannel(RabbitConnection connection, CreateChannelOptions options) : IAsyncDisposable
{
    private readonly SemaphoreSlim _one = new(1, 1);
    private IChannel? _channel;

    public async ValueTask<IChannel> OpenAsync(CancellationToken cancellationToken)
    {
        if (_channel is { IsOpen: true } open)
        {
            return open;
        }

        await _one.WaitAsync(cancellationToken);
        try
        {
            if (_channel is not { IsOpen: true })
            {
                var opened = await connection.OpenAsync(cancellationToken);
                _channel = await opened.CreateChannelAsync(options, cancellationToken);
            }

            return _channel;
        }
        finally
        {
            _one.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_channel is not null)
        {
            await _channel.DisposeAsync();
        }

        _one.Dispose();
    }
}
