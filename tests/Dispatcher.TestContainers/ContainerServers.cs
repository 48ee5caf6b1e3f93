using System.Net;
using System.Net.Sockets;
using Testcontainers.PostgreSql;
using Testcontainers.RabbitMq;

namespace Dispatcher.TestContainers;

/// <summary>The two containers. Their ports on the host are fixed, so that a server has the same address after a restart.</summary>
internal sealed class ContainerServers : IAsyncDisposable
{
    private const ushort AmqpPort = 5672;
    private const ushort ManagementPort = 15672;
    private const ushort PostgresPort = 5432;

    private readonly int[] _ports = FreePorts(3);

    public ContainerServers()
    {
        RabbitMq = new RabbitMqBuilder("rabbitmq:4-management")
            .WithUsername("guest")
            .WithPassword("guest")
            .WithPortBinding(_ports[0], AmqpPort)
            .WithPortBinding(_ports[1], ManagementPort)
            .Build();

        // "trust": the tests make roles without a password. Testcontainers turns off what keeps commits over a crash, and tests kill the
        // server.
        Postgres = new PostgreSqlBuilder("postgres:17")
            .WithEnvironment("POSTGRES_HOST_AUTH_METHOD", "trust")
            .WithPortBinding(_ports[2], PostgresPort)
            .WithCommand("-c", "max_connections=400", "-c", "fsync=on", "-c", "full_page_writes=on", "-c", "synchronous_commit=on")
            .Build();
    }

    public RabbitMqContainer RabbitMq { get; }

    public PostgreSqlContainer Postgres { get; }

    public string Amqp => $"amqp://guest:guest@{RabbitMq.Hostname}:{_ports[0]}/";

    public string Management => $"http://{RabbitMq.Hostname}:{_ports[1]}";

    public string Sql => $"Host={Postgres.Hostname};Port={_ports[2]};Username=postgres;Database=postgres";

    public Task StartAsync() => Task.WhenAll(RabbitMq.StartAsync(), Postgres.StartAsync());

    public async ValueTask DisposeAsync()
    {
        await RabbitMq.DisposeAsync();
        await Postgres.DisposeAsync();
    }

    /// <summary>Bound all at once, so that they differ.</summary>
    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToList();
        listeners.ForEach(listener => listener.Start());
        int[] ports = [.. listeners.Select(listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        listeners.ForEach(listener => listener.Dispose());
        return ports;
    }
}
