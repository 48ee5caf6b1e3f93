using Dispatcher.Contracts;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Tries what a broker user might do, and says what the broker let it do.</summary>
internal static class BrokerProbe
{
    private const ushort AccessRefused = 403;

    private static readonly string[] ForeignNames =
    [
        "",
        "dispatcher.other",
        "dispatcher.work.other",
        "dispatcher.server.other",
        "reply.other.1",
        "dead-letters.other.1",
        "events.other.1",
    ];

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>Whether the broker refuses an action for want of rights. Any other fault is none of these.</summary>
    public static async Task<bool> IsRefusedAsync(IConnection connection, Func<IChannel, Task> action) =>
        await RefusalAsync(connection, action) == AccessRefused;

    /// <summary>The code with which the broker closes the channel of an action. Null: it allows the action.</summary>
    public static async Task<ushort?> RefusalAsync(IConnection connection, Func<IChannel, Task> action)
    {
        var confirmed = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
        await using var channel = await connection.CreateChannelAsync(confirmed, Now);
        try
        {
            await action(channel).WaitAsync(TimeSpan.FromSeconds(30), Now);
            return null;
        }
#pragma warning disable CA1031 // The client throws several types; the reason is on the channel.
        catch (Exception)
#pragma warning restore CA1031
        {
            // 0: the action failed, and the broker did not refuse it.
            return channel.CloseReason?.ReplyCode ?? 0;
        }
    }

    /// <summary>The headers that the broker writes on a message that it sets aside, as a client writes them itself.</summary>
    public static Dictionary<string, object?> SetAside(string queue, string routingKey, string reason = "delivery_limit") =>
        new()
        {
            ["x-first-death-queue"] = queue,
            ["x-first-death-reason"] = reason,
            ["x-death"] = new List<object?>
            {
                new Dictionary<string, object?>
                {
                    ["queue"] = queue,
                    ["reason"] = reason,
                    ["count"] = 1L,
                    ["exchange"] = Exchanges.Jobs,
                    ["routing-keys"] = new List<object?> { routingKey },
                },
            },
        };

    /// <summary>Publishes with the name of a user as <c>user_id</c>, which the broker compares with that of the connection.</summary>
    public static Func<IChannel, Task> PublishAs(string user, string exchange, string routingKey) =>
        channel =>
            channel
                .BasicPublishAsync(exchange, routingKey, mandatory: false, new BasicProperties { UserId = user }, "{}"u8.ToArray(), Now)
                .AsTask();

    public static Func<IChannel, Task> Read(string queue) => channel => channel.BasicGetAsync(queue, autoAck: false, Now);

    public static Func<IChannel, Task> Publish(string exchange, string routingKey) =>
        channel => channel.BasicPublishAsync(exchange, routingKey, mandatory: false, "{}"u8.ToArray(), Now).AsTask();

    /// <summary>
    /// The rights of a user on every exchange and queue of a virtual host, and on names that are not its own. Leaves out <paramref
    /// name="expected"/>, because trying it would change the virtual host.
    /// </summary>
    public static async Task<IReadOnlyList<string>> GrantedAsync(string vhost, IConnection connection, string user, string[] expected)
    {
        var granted = new List<string>();
        foreach (var (name, action) in await ActionsAsync(vhost))
        {
            if (!expected.Contains(name) && !await IsRefusedAsync(connection, action))
            {
                granted.Add(name);
            }
        }

        Assert.True(connection.IsOpen, $"The connection of {user} was closed: {connection.CloseReason}");
        return granted;
    }

    private static async Task<IReadOnlyList<(string Name, Func<IChannel, Task> Action)>> ActionsAsync(string vhost)
    {
        var queues = await Servers.QueuesAsync(vhost);
        var exchanges = await Servers.ExchangesAsync(vhost);
        Assert.Contains(Exchanges.Outcomes, exchanges);
        Assert.Contains(Queues.Work("test"), queues);
        var named = exchanges.Where(exchange => exchange.Length > 0).ToList();
        return
        [
            // With a key that a topic exchange lets this user publish, if it lets it publish at all.
            .. exchanges.Select(exchange => ($"publish to {exchange}", Publish(exchange, "job.test.faulty"))),
            .. queues.Select(queue => ($"publish to the default exchange for {queue}", Publish("", queue))),
            .. Each(
                "delete exchange",
                named.Where(exchange => !exchange.StartsWith("amq.", StringComparison.Ordinal)),
                (channel, exchange) => channel.ExchangeDeleteAsync(exchange, cancellationToken: Now)
            ),
            .. Each(
                "bind exchange",
                named,
                (channel, exchange) => channel.ExchangeBindAsync(exchange, exchange, "#", cancellationToken: Now)
            ),
            .. Each("read queue", queues, (channel, queue) => channel.BasicGetAsync(queue, autoAck: false, Now)),
            .. Each("purge queue", queues, (channel, queue) => channel.QueuePurgeAsync(queue, Now)),
            .. Each("delete queue", queues, (channel, queue) => channel.QueueDeleteAsync(queue, cancellationToken: Now)),
            .. Each("bind queue", queues, (channel, queue) => channel.QueueBindAsync(queue, Exchanges.Events, "#", cancellationToken: Now)),
            .. Each(
                "declare queue",
                ForeignNames,
                (channel, name) => channel.QueueDeclareAsync(name, exclusive: true, cancellationToken: Now)
            ),
            .. Each(
                "declare exchange",
                ForeignNames.Where(name => name.Length > 0),
                (channel, name) => channel.ExchangeDeclareAsync(name, ExchangeType.Fanout, cancellationToken: Now)
            ),
        ];
    }

    private static IEnumerable<(string Name, Func<IChannel, Task> Action)> Each(
        string what,
        IEnumerable<string> names,
        Func<IChannel, string, Task> action
    ) => names.Select(name => ($"{what} {name}", (Func<IChannel, Task>)(channel => action(channel, name))));
}
