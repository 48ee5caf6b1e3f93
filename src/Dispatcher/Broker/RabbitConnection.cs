using Dispatcher.Worker.RabbitMq;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>
/// A connection of the server to RabbitMQ beside those of MassTransit, for the topology and for sending. It opens at the first use, and
/// again at the next use after it was lost.
/// </summary>
internal sealed class RabbitConnection : IAsyncDisposable
{
    /// <summary>
    /// Maximum size of a body that the client receives, in bytes. The client closes a connection that delivers a larger body, and the
    /// broker would deliver it again. RabbitMQ never accepts more than 512 MiB, so this limit is not reached.
    /// </summary>
    public const uint MaxMessage = 1_073_741_824;

    private readonly SemaphoreSlim _one = new(1, 1);
    private readonly ConnectionFactory _factory;

    private IConnection? _connection;

    public RabbitConnection(Uri address, string name)
    {
        _factory = new ConnectionFactory
        {
            Uri = address,
            ClientProvidedName = name,
            MaxInboundMessageBodySize = MaxMessage,

            // The next use opens it again. The recovery of the client would restore channels whose confirms are no longer awaited.
            AutomaticRecoveryEnabled = false,
        };
        ServerCertificate.VerifyFor(_factory);
    }

    /// <summary>The broker user of the server.</summary>
    public string User => _factory.UserName;

    public string VirtualHost => _factory.VirtualHost;

    /// <summary>The memory or disk alarm for which the broker blocks this connection. Null: it is not blocked, or not open.</summary>
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
                _connection.ConnectionBlockedAsync += (_, alarm) => SetBlocked(alarm.Reason);
                _connection.ConnectionUnblockedAsync += (_, _) => SetBlocked(null);
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

    private Task SetBlocked(string? blocked)
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

/// <summary>A channel that opens at the first use, and again at the next use after it was closed.</summary>
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
