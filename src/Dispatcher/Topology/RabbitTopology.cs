using Dispatcher.CommandLine;
using Dispatcher.Contracts;
using Dispatcher.Messaging;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Topology;

/// <summary>Declares every exchange, queue and binding at start, before anything consumes or publishes. What is there with other arguments stops the start with a clear error.</summary>
internal sealed partial class RabbitTopology(RabbitConnection connection, ILogger<RabbitTopology> logger) : IHostedService, IPoolQueues
{
    private const ushort PreconditionFailed = 406;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await using var channel = await ChannelAsync(cancellationToken);
        var withAlternate = new Dictionary<string, object?> { ["alternate-exchange"] = QueueNames.Unrouted };
        await ExchangeAsync(channel, QueueNames.Unrouted, ExchangeType.Fanout, null, cancellationToken);
        await QueueAsync(channel, QueueNames.Unrouted, cancellationToken);
        await channel.QueueBindAsync(QueueNames.Unrouted, QueueNames.Unrouted, "", cancellationToken: cancellationToken);
        await ExchangeAsync(channel, Exchanges.Jobs, ExchangeType.Topic, withAlternate, cancellationToken);
        await ExchangeAsync(channel, Exchanges.DeadLetter, ExchangeType.Topic, withAlternate, cancellationToken);
        await ExchangeAsync(channel, Exchanges.Events, ExchangeType.Topic, null, cancellationToken);
        await ExchangeAsync(channel, Exchanges.Work, ExchangeType.Direct, null, cancellationToken);
        await ExchangeAsync(channel, Exchanges.Outcomes, ExchangeType.Fanout, null, cancellationToken);
        foreach (var (source, exchange, key) in QueueNames.Sources)
        {
            await QueueWithExchangeAsync(channel, QueueNames.Poison(source), cancellationToken);
            await QueueWithExchangeAsync(channel, QueueNames.Parked(source), cancellationToken);
            await QueueAsync(channel, source, cancellationToken);
            await channel.QueueBindAsync(source, exchange, key, cancellationToken: cancellationToken);
        }

        await QueueWithExchangeAsync(channel, QueueNames.Dispatch, cancellationToken);
        await ExchangeAsync(channel, QueueNames.Retry, ExchangeType.Direct, null, cancellationToken);
        foreach (var (key, queue) in QueueNames.DelayQueues)
        {
            await QueueAsync(channel, queue, cancellationToken);
            await channel.QueueBindAsync(queue, QueueNames.Retry, key, cancellationToken: cancellationToken);
        }

        // After the new bindings: a message in between reaches both queues, never none.
        foreach (var (queue, exchange, key) in QueueNames.Retired)
        {
            await channel.QueueUnbindAsync(queue, exchange, key, cancellationToken: cancellationToken);
        }

        Log.Declared(logger);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public async Task DeclareAsync(IEnumerable<string> pools, CancellationToken cancellationToken)
    {
        await using var channel = await ChannelAsync(cancellationToken);
        foreach (var pool in pools)
        {
            await QueueAsync(channel, Queues.Work(pool), cancellationToken);
            await channel.QueueBindAsync(Queues.Work(pool), Exchanges.Work, pool, cancellationToken: cancellationToken);
        }
    }

    private async Task<IChannel> ChannelAsync(CancellationToken cancellationToken)
    {
        var open = await connection.OpenAsync(cancellationToken);
        return await open.CreateChannelAsync(cancellationToken: cancellationToken);
    }

    private static Task ExchangeAsync(IChannel channel, string name, string type, Dictionary<string, object?>? arguments, CancellationToken cancellationToken) =>
        ClearlyAsync($"exchange {name} ({type})", () => channel.ExchangeDeclareAsync(name, type, durable: true, autoDelete: false, arguments, cancellationToken: cancellationToken));

    private static Task QueueAsync(IChannel channel, string name, CancellationToken cancellationToken) =>
        ClearlyAsync($"queue {name}", () => channel.QueueDeclareAsync(
            name, durable: true, exclusive: false, autoDelete: false, new Dictionary<string, object?>(QueueNames.Arguments(name)), cancellationToken: cancellationToken));

    /// <summary>
    /// A queue behind a fanout exchange of the same name, as MassTransit declares it for an endpoint. Other queues dead-letter to that exchange.
    /// </summary>
    private static async Task QueueWithExchangeAsync(IChannel channel, string name, CancellationToken cancellationToken)
    {
        await ExchangeAsync(channel, name, ExchangeType.Fanout, null, cancellationToken);
        await QueueAsync(channel, name, cancellationToken);
        await channel.QueueBindAsync(name, name, "", cancellationToken: cancellationToken);
    }

    private static async Task ClearlyAsync(string what, Func<Task> declare)
    {
        try
        {
            await declare();
        }
        catch (OperationInterruptedException refused) when (refused.ShutdownReason?.ReplyCode == PreconditionFailed)
        {
            throw new VerbFailedException(
                ExitCode.WrongUse, $"The broker has {what} with other arguments: {refused.ShutdownReason.ReplyText}", "Delete it there when it is empty, or give Dispatcher a virtual host of its own.");
        }
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.TopologyDeclared, LogLevel.Information, "Exchanges and queues are declared")]
        public static partial void Declared(ILogger logger);
    }
}
