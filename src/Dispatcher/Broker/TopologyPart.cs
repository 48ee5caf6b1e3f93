using Dispatcher.Contracts;
using RabbitMQ.Client;

namespace Dispatcher.Broker;

/// <summary>One exchange, or one queue with its binding, of the topology. Declaring an existing part changes nothing.</summary>
/// <param name="Name">Its name in errors and logs: the kind, and the name on the broker.</param>
/// <param name="FindAsync">
/// Fails with 404 if the part is missing. It does not compare arguments. Returns what a queue holds; null for an exchange.
/// </param>
/// <param name="CompareAsync">Declares the part without its binding. Fails with 406 if it exists with other arguments.</param>
/// <param name="DeclareAsync">The same, and then binds a queue.</param>
/// <param name="QueueName">The queue on the broker. Null: the part is an exchange.</param>
internal sealed record TopologyPart(
    string Name,
    Func<IChannel, CancellationToken, Task<QueueDeclareOk?>> FindAsync,
    Func<IChannel, CancellationToken, Task> CompareAsync,
    Func<IChannel, CancellationToken, Task> DeclareAsync,
    string? QueueName = null
)
{
    private static readonly Dictionary<string, object?> WithAlternate = new() { ["alternate-exchange"] = QueueNames.Unrouted };

    /// <summary>All parts but the queues of pools. An exchange comes before the queues that are bound to it.</summary>
    public static readonly IReadOnlyList<TopologyPart> OfServer =
    [
        .. BehindFanout(QueueNames.Unrouted),
        .. BehindFanout(QueueNames.Undelivered),
        Exchange(Exchanges.Jobs, ExchangeType.Topic, WithAlternate),
        Exchange(Exchanges.DeadLetter, ExchangeType.Topic, WithAlternate),
        Exchange(Exchanges.Events, ExchangeType.Topic),
        Exchange(Exchanges.Work, ExchangeType.Direct),
        Exchange(Exchanges.Outcomes, ExchangeType.Fanout),
        .. QueueNames.Sources.SelectMany(source =>
            (TopologyPart[])
                [
                    .. BehindFanout(QueueNames.Poison(source.Queue)),
                    .. BehindFanout(QueueNames.Parked(source.Queue)),
                    Queue(source.Queue, source.Exchange, source.RoutingKey),
                ]
        ),
        .. BehindFanout(QueueNames.Dispatch),
        Exchange(QueueNames.Retry, ExchangeType.Direct),
        .. QueueNames.DelayQueues.Select(delay => Queue(delay.Queue, QueueNames.Retry, delay.Key)),
        .. QueueNames.SourcesOfNewer.Select(source => Queue(QueueNames.Newer(source), QueueNames.Retry, source)),
    ];

    public static TopologyPart OfPool(string pool) => Queue(Queues.Work(pool), Exchanges.Work, pool);

    /// <summary>
    /// A queue behind a fanout exchange of the same name, as MassTransit declares it for an endpoint. Other queues dead-letter to that
    /// exchange.
    /// </summary>
    private static TopologyPart[] BehindFanout(string name) => [Exchange(name, ExchangeType.Fanout), Queue(name, name, "")];

    private static TopologyPart Exchange(string name, string type, Dictionary<string, object?>? arguments = null)
    {
        return new(
            $"exchange {name} ({type})",
            async (channel, cancellationToken) =>
            {
                await channel.ExchangeDeclarePassiveAsync(name, cancellationToken);
                return null;
            },
            DeclareAsync,
            DeclareAsync
        );

        Task DeclareAsync(IChannel channel, CancellationToken cancellationToken) =>
            channel.ExchangeDeclareAsync(name, type, durable: true, autoDelete: false, arguments, cancellationToken: cancellationToken);
    }

    private static TopologyPart Queue(string name, string exchange, string routingKey)
    {
        return new(
            $"queue {name}",
            async (channel, cancellationToken) => await channel.QueueDeclarePassiveAsync(name, cancellationToken),
            DeclareAsync,
            async (channel, cancellationToken) =>
            {
                await DeclareAsync(channel, cancellationToken);
                await channel.QueueBindAsync(name, exchange, routingKey, cancellationToken: cancellationToken);
            },
            name
        );

        Task DeclareAsync(IChannel channel, CancellationToken cancellationToken) =>
            channel.QueueDeclareAsync(
                name,
                durable: true,
                exclusive: false,
                autoDelete: false,
                new Dictionary<string, object?>(QueueNames.Arguments(name)),
                cancellationToken: cancellationToken
            );
    }
}
