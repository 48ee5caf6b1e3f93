using RabbitMQ.Client;

namespace Dispatcher.Worker.RabbitMq;

/// <summary>The one connection of a transport. It is opened when it is first needed, and again after it was closed.</summary>
internal sealed class BrokerConnection : IAsyncDisposable
{
    /// <summary>
    /// The client closes a connection that delivers a larger body, and the broker would redeliver the message. RabbitMQ accepts at most
    /// 512 MiB with any configuration.
    /// </summary>
    private const uint MaxMessageBytes = 1_073_741_824;

    private readonly ConnectionFactory _factory;
    private readonly SemaphoreSlim _connecting = new(1);
    private IConnection? _connection;

    public BrokerConnection(Uri broker, string name)
    {
        _factory = new ConnectionFactory
        {
            Uri = broker,
            AutomaticRecoveryEnabled = false,
            ClientProvidedName = name,
            MaxInboundMessageBodySize = MaxMessageBytes,
            RequestedHeartbeat = TimeSpan.FromSeconds(15),
            RequestedConnectionTimeout = TimeSpan.FromSeconds(10),
        };
        ServerCertificate.VerifyFor(_factory);
    }

    public string HostName => _factory.HostName;

    public string UserName => _factory.UserName;

    public string VirtualHost => _factory.VirtualHost;

    public async Task<IChannel> OpenChannelAsync(CreateChannelOptions? options, CancellationToken cancellationToken)
    {
        var connection = await ConnectAsync(cancellationToken);
        return await connection.CreateChannelAsync(options, cancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is { } connection)
        {
            await connection.DisposeAsync();
        }

        _connecting.Dispose();
    }

    private async Task<IConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            if (_connection is { IsOpen: true } open)
            {
                return open;
            }

            if (_connection is { } closed)
            {
                _connection = null;
                await closed.DisposeAsync();
            }

            return _connection = await _factory.CreateConnectionAsync(cancellationToken);
        }
        finally
        {
            _connecting.Release();
        }
    }
}
