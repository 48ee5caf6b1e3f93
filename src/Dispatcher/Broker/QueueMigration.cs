using System.Globalization;
using Dispatcher.Base;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Broker;

/// <summary>
/// Replaces a queue that has other arguments by one with the arguments of this version, and keeps its messages. They wait in a holding
/// queue meanwhile, which also receives what clients publish. A run that was killed at any point is finished by the next one.
/// </summary>
/// <remarks>
/// A message keeps its routing key and every property. A killed run can leave one message twice, and never loses one: it is acknowledged
/// after the broker has confirmed its copy. The connection needs the tag <c>impersonator</c>, because the copy has the sender's
/// <c>user_id</c>.
/// </remarks>
/// <param name="connection">Of a user that may configure, write and read everything that begins with <c>dispatcher.</c></param>
/// <param name="facts">What AMQP cannot tell of a queue.</param>
/// <param name="reached">Called with a sentence after each step.</param>
internal sealed class QueueMigration(RabbitConnection connection, QueueFacts facts, Action<string> reached) : IAsyncDisposable
{
    private const ushort NotFound = 404;
    private const ushort PreconditionFailed = 406;

    /// <summary>The broker reports its figures every 5 seconds.</summary>
    private static readonly TimeSpan MaxStale = TimeSpan.FromSeconds(15);

    private RabbitChannel _channel = new(connection, new CreateChannelOptions(true, true));

    /// <summary>The queues whose migration was begun: the names of their holding queues without the prefix.</summary>
    public static IEnumerable<string> Begun(IEnumerable<string> queues) => queues.Select(QueueNames.HeldBy).OfType<string>();

    /// <summary>Whether the queue has other arguments, or an earlier run did not finish.</summary>
    public async Task<bool> IsNeededAsync(TopologyPart part, CancellationToken cancellationToken) =>
        await ExistsAsync(QueueNames.Holding(part.QueueName!), cancellationToken) || await IsWrongAsync(part, cancellationToken);

    /// <summary>Returns the number of messages that came back.</summary>
    /// <exception cref="ExitException">The queue has consumers, or messages that a client has taken. Nothing is lost.</exception>
    public async Task<int> MigrateAsync(TopologyPart part, CancellationToken cancellationToken)
    {
        var (queue, holding) = (part.QueueName!, QueueNames.Holding(part.QueueName!));
        var isHeld = await ExistsAsync(holding, cancellationToken);
        if (await IsWrongAsync(part, cancellationToken))
        {
            await SetAsideAsync(queue, holding, cancellationToken);
            isHeld = true;
        }

        await part.DeclareAsync(await OpenAsync(cancellationToken), cancellationToken);
        reached($"{queue}: declared with the arguments of this version");
        return isHeld ? await BringBackAsync(queue, holding, cancellationToken) : 0;
    }

    /// <summary>Removes the mark of an unfinished migration, for which a server does not start.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (Begun(await facts.Queues(cancellationToken)).FirstOrDefault() is { } left)
        {
            throw new ExitException(
                ExitCode.No,
                $"Queue {QueueNames.Holding(left)} still holds the messages of {left}.",
                "Repeat the command. If no version knows the queue any more, move its messages yourself and delete it."
            );
        }

        await (await OpenAsync(cancellationToken)).ExchangeDeleteAsync(QueueNames.Migrating, cancellationToken: cancellationToken);
    }

    public ValueTask DisposeAsync() => _channel.DisposeAsync();

    private async Task SetAsideAsync(string queue, string holding, CancellationToken cancellationToken)
    {
        await CheckUnusedAsync(queue, cancellationToken);
        await DeclareHoldingAsync(holding, cancellationToken);
        reached($"{queue}: the queue {holding} keeps its messages meanwhile");

        // The new bindings first: a message that arrives in between is in both queues, and not in none.
        var bindings = await facts.Bindings(queue, cancellationToken);
        var channel = await OpenAsync(cancellationToken);
        foreach (var (exchange, key) in bindings)
        {
            await channel.QueueBindAsync(holding, exchange, key, cancellationToken: cancellationToken);
        }

        reached($"{queue}: new messages go to {holding}");
        foreach (var (exchange, key) in bindings)
        {
            await channel.QueueUnbindAsync(queue, exchange, key, cancellationToken: cancellationToken);
        }

        var moved = await MoveAsync(queue, holding, hold: true, cancellationToken);
        reached($"{queue}: {moved} message(s) moved to {holding}");
        await CheckUnusedAsync(queue, cancellationToken);
        await DeleteEmptyAsync(queue, cancellationToken);
        reached($"{queue}: deleted");
    }

    private async Task<int> BringBackAsync(string queue, string holding, CancellationToken cancellationToken)
    {
        var back = holding + ".back";
        var channel = await OpenAsync(cancellationToken);
        await channel.ExchangeDeclareAsync(back, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken);
        await channel.QueueBindAsync(queue, back, "", cancellationToken: cancellationToken);
        foreach (var (exchange, key) in await facts.Bindings(holding, cancellationToken))
        {
            await channel.QueueUnbindAsync(holding, exchange, key, cancellationToken: cancellationToken);
        }

        reached($"{queue}: new messages go to it");
        var moved = await MoveAsync(holding, back, hold: false, cancellationToken);
        reached($"{queue}: {moved} message(s) moved back");

        // The holding queue last: while it exists, the next run continues.
        await channel.ExchangeDeleteAsync(back, cancellationToken: cancellationToken);
        await channel.ExchangeDeleteAsync(holding, cancellationToken: cancellationToken);
        await DeleteEmptyAsync(holding, cancellationToken);
        return moved;
    }

    /// <summary>The mark first: while a holding queue exists, a server finds the mark and does not start.</summary>
    private async Task DeclareHoldingAsync(string holding, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        foreach (var exchange in new[] { QueueNames.Migrating, holding })
        {
            await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: cancellationToken);
        }

        await channel.QueueDeclareAsync(
            holding,
            durable: true,
            exclusive: false,
            autoDelete: false,
            new Dictionary<string, object?>(QueueNames.Arguments(holding)),
            cancellationToken: cancellationToken
        );
        await channel.QueueBindAsync(holding, holding, "", cancellationToken: cancellationToken);
    }

    /// <summary>
    /// Moves all messages through a fanout exchange, which keeps their routing keys. An expiration is kept in a header while a message is
    /// held: otherwise the broker would drop the message there.
    /// </summary>
    private async Task<int> MoveAsync(string from, string exchange, bool hold, CancellationToken cancellationToken)
    {
        var channel = await OpenAsync(cancellationToken);
        for (var moved = 0; ; moved++)
        {
            if (await channel.BasicGetAsync(from, autoAck: false, cancellationToken) is not { } message)
            {
                return moved;
            }

            var properties = hold ? HeldProperties.Of(message.BasicProperties) : HeldProperties.Released(message.BasicProperties);
            await channel.BasicPublishAsync(exchange, message.RoutingKey, mandatory: true, properties, message.Body, cancellationToken);
            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancellationToken);
        }
    }

    private async Task CheckUnusedAsync(string queue, CancellationToken cancellationToken)
    {
        var seen = await (await OpenAsync(cancellationToken)).QueueDeclarePassiveAsync(queue, cancellationToken);
        if (seen.ConsumerCount > 0)
        {
            throw new ExitException(
                ExitCode.No,
                $"Queue {queue} has {seen.ConsumerCount.ToString(CultureInfo.InvariantCulture)} consumer(s).",
                "Stop the servers, or the workers of the pool, and repeat the command. Producers may go on."
            );
        }

        // A message there says by its exchange what it is, and a copy would lose that.
        if (queue == QueueNames.Unrouted && seen.MessageCount > 0)
        {
            throw new ExitException(
                ExitCode.No,
                $"Queue {queue} has {seen.MessageCount.ToString(CultureInfo.InvariantCulture)} message(s).",
                "Let a server of the earlier version take them in, stop it, and repeat the command."
            );
        }
    }

    /// <summary>
    /// A quorum queue knows no <c>if-empty</c>. The figure of the management API includes messages that a client holds unacknowledged; that
    /// of AMQP is newer.
    /// </summary>
    private async Task DeleteEmptyAsync(string queue, CancellationToken cancellationToken)
    {
        var began = TimeProvider.System.GetTimestamp();
        while (await LeftAsync(queue, cancellationToken) is not 0 and var left)
        {
            if (TimeProvider.System.GetElapsedTime(began) > MaxStale)
            {
                throw new ExitException(
                    ExitCode.No,
                    left is null
                        ? $"The broker reports no figures of queue {queue}, so it may have messages and is not deleted."
                        : $"Queue {queue} still has {left.Value.ToString(CultureInfo.InvariantCulture)} message(s), "
                            + "or a client has taken them.",
                    left is null
                        ? "Turn the statistics of the management plugin on, start every node of the broker, and repeat the command."
                        : "Close the client that reads from the queue, and repeat the command."
                );
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, cancellationToken);
        }

        await (await OpenAsync(cancellationToken)).QueueDeleteAsync(queue, cancellationToken: cancellationToken);

        // The broker keeps the type of a queue for each channel, and fails when the name is declared again with another type.
        await _channel.DisposeAsync();
        _channel = new RabbitChannel(connection, new CreateChannelOptions(true, true));
    }

    /// <summary>The messages of a queue. Null: the broker does not report them.</summary>
    private async Task<long?> LeftAsync(string queue, CancellationToken cancellationToken)
    {
        var ready = (await (await OpenAsync(cancellationToken)).QueueDeclarePassiveAsync(queue, cancellationToken)).MessageCount;
        return await facts.Messages(queue, cancellationToken) is { } all ? Math.Max(all, ready) : null;
    }

    /// <summary>Declares an existing queue without its binding, which changes nothing.</summary>
    private async Task<bool> IsWrongAsync(TopologyPart part, CancellationToken cancellationToken)
    {
        if (!await ExistsAsync(part.QueueName!, cancellationToken))
        {
            return false;
        }

        try
        {
            await part.CompareAsync(await OpenAsync(cancellationToken), cancellationToken);
            return false;
        }
        catch (OperationInterruptedException refused) when (refused.ShutdownReason?.ReplyCode == PreconditionFailed)
        {
            return true;
        }
        catch (OperationInterruptedException refused) when (refused.ShutdownReason?.ReplyCode == NotFound)
        {
            throw new ExitException(
                ExitCode.Unreachable,
                $"The broker lists {part.Name} and cannot reach it: {refused.ShutdownReason.ReplyText}.",
                "Start every node of the broker, and repeat the command."
            );
        }
    }

    /// <summary>Over AMQP, a queue on a node that is down seems to be missing.</summary>
    private async Task<bool> ExistsAsync(string queue, CancellationToken cancellationToken) =>
        (await facts.Queues(cancellationToken)).Contains(queue);

    private async Task<IChannel> OpenAsync(CancellationToken cancellationToken) => await _channel.OpenAsync(cancellationToken);
}

/// <summary>Figures of the management API.</summary>
/// <param name="Queues">The names of all queues, also of those on nodes that are down.</param>
/// <param name="Bindings">The exchange and routing key of each binding of a queue, without that of the default exchange.</param>
/// <param name="Messages">The messages of a queue, with those that a client has taken. Null: not reported.</param>
internal sealed record QueueFacts(
    Func<CancellationToken, Task<IReadOnlyList<string>>> Queues,
    Func<string, CancellationToken, Task<IReadOnlyList<(string Exchange, string RoutingKey)>>> Bindings,
    Func<string, CancellationToken, Task<long?>> Messages
);
