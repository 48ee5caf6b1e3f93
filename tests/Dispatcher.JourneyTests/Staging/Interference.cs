using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Changes to the broker and the database of a journey from outside, while it runs.</summary>
internal static class Interference
{
    /// <summary>Holds dispatch back until the answer is disposed: a consumer of higher priority keeps each dispatch signal.</summary>
    public static async Task<IConnection> HoldDispatchAsync(this Journey journey)
    {
        var holder = await journey.ConnectAsync("dispatcher");
        var channel = await holder.CreateChannelAsync(cancellationToken: Now);
        await channel.BasicConsumeAsync(
            "dispatcher.server.dispatch",
            autoAck: false,
            "holder",
            noLocal: false,
            exclusive: false,
            new Dictionary<string, object?> { ["x-priority"] = 10 },
            new AsyncEventingBasicConsumer(channel),
            Now
        );
        return holder;
    }

    /// <summary>
    /// Takes each message of a queue before other consumers and returns it, until the answer is disposed: each return counts as a failed
    /// delivery.
    /// </summary>
    public static async Task<IConnection> ReturnAsync(this Journey journey, string queue)
    {
        var returner = await journey.ConnectAsync("dispatcher");
        var channel = await returner.CreateChannelAsync(cancellationToken: Now);
        await channel.BasicQosAsync(0, 1, global: false, Now);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += async (_, delivery) =>
            await channel.BasicNackAsync(delivery.DeliveryTag, multiple: false, requeue: true, Now);
        await channel.BasicConsumeAsync(
            queue,
            autoAck: false,
            "returner",
            noLocal: false,
            exclusive: false,
            new Dictionary<string, object?> { ["x-priority"] = 10 },
            consumer,
            Now
        );
        return returner;
    }

    /// <summary>The broker keeps a message of a newer version for 200 ms only.</summary>
    public static Task WaitShortAsync(this Journey journey) =>
        Servers.SetPolicyAsync(
            journey.Name,
            "short",
            @"^dispatcher\.server\..*\.newer$",
            new Dictionary<string, object> { ["message-ttl"] = 200 }
        );

    /// <summary>Publishes as any user could who has all rights on the broker.</summary>
    public static Task ForgeAsync(
        this Journey journey,
        string exchange,
        string routingKey,
        byte[] body,
        IDictionary<string, object?>? headers = null
    ) => journey.ForgeAsync(exchange, routingKey, [body], headers);

    /// <summary>The same for several bodies.</summary>
    public static async Task ForgeAsync(
        this Journey journey,
        string exchange,
        string routingKey,
        IEnumerable<byte[]> bodies,
        IDictionary<string, object?>? headers = null
    )
    {
        await using var connection = await journey.ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true),
            Now
        );
        foreach (var body in bodies)
        {
            var properties = new BasicProperties
            {
                UserId = "dispatcher",
                DeliveryMode = DeliveryModes.Persistent,
                Headers = headers,
            };
            await channel.BasicPublishAsync(exchange, routingKey, mandatory: false, properties, body, Now);
        }
    }

    /// <summary>Changes the topology on the broker as an administrator could.</summary>
    public static async Task ChangeBrokerAsync(this Journey journey, Func<IChannel, Task> change)
    {
        await using var connection = await journey.ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        await change(channel);
    }

    /// <summary>How many consumers a queue has, and how many messages that no consumer holds.</summary>
    public static async Task<(uint Consumers, uint Messages)> QueueAsync(this Journey journey, string queue)
    {
        await using var connection = await journey.ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        var seen = await channel.QueueDeclarePassiveAsync(queue, Now);
        return (seen.ConsumerCount, seen.MessageCount);
    }

    /// <summary>Makes the database unavailable, or available again.</summary>
    public static async Task DatabaseAsync(this Journey journey, bool isThere)
    {
        await using var server = NpgsqlDataSource.Create(Servers.Postgres("postgres"));
        string[] statements = isThere
            ? [$"alter database {journey.Name} allow_connections true"]
            :
            [
                $"alter database {journey.Name} allow_connections false",
                $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{journey.Name}'",
            ];
        foreach (var statement in statements)
        {
#pragma warning disable CA2100 // The name of the journey, made by the test.
            await using var command = server.CreateCommand(statement);
#pragma warning restore CA2100
            await command.ExecuteNonQueryAsync(Now);
        }
    }

    /// <summary>Has the sweep check the waiting jobs of a topic, and waits until it has taken each of them.</summary>
    public static async Task SweptAsync(this Journey journey, string topic)
    {
        await journey.Records.MakeDueAsync(topic);
        await Eventually.IsAsync(
            async () => await journey.Records.DueAsync() == 0,
            () => "the sweep has taken all jobs\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );
    }

    /// <summary>Locks a table, for reads too, until the answer is disposed.</summary>
    public static Task<NpgsqlConnection> LockAsync(this Journey journey, string table) =>
        LockByAsync(journey, $"lock table {table} in access exclusive mode");

    /// <summary>Locks the rows of all jobs until the answer is disposed. They can be read, and no move of them commits.</summary>
    public static Task<NpgsqlConnection> LockJobsAsync(this Journey journey) => LockByAsync(journey, "select from jobs for update");

    /// <summary>Runs a statement in a transaction that stays open until the answer is disposed, or its connection is ended.</summary>
    public static async Task<NpgsqlConnection> LockByAsync(this Journey journey, string statement)
    {
        // Not pooled: the end of the connection is the end of its transaction.
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(journey.Postgres) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Now);
#pragma warning disable CA2100 // A statement written in this file.
        await using var take = new NpgsqlCommand($"begin; {statement}", connection);
#pragma warning restore CA2100
        await take.ExecuteNonQueryAsync(Now);
        return connection;
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;
}
