using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using RabbitMQ.Client;

namespace Dispatcher.Outbox;

/// <summary>
/// Publishes the copies of dead letters that no queue took again, at the start and every hour, so that an owner who binds a queue later
/// gets them as well. A copy that still has no queue comes back through <c>UnroutedMessages</c>. A round sends each copy once.
/// </summary>
internal sealed partial class UndeliveredCopies(
    [FromKeyedServices(RabbitTopology.Connection)] RabbitConnection connection,
    IOutboxTransport transport,
    TimeProvider time,
    ILogger<UndeliveredCopies> logger
) : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    private static readonly TimeSpan Period = TimeSpan.FromHours(1);

    private long? _sentAt;

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        if (_sentAt is { } before && Time.GetElapsedTime(before) < Period)
        {
            return;
        }

        await SendAllAsync(cancellationToken);
        _sentAt = Time.GetTimestamp();
    }

    private async Task SendAllAsync(CancellationToken cancellationToken)
    {
        var open = await connection.OpenAsync(cancellationToken);
        await using var channel = await open.CreateChannelAsync(cancellationToken: cancellationToken);
        for (var left = await channel.MessageCountAsync(QueueNames.Undelivered, cancellationToken); left > 0; left--)
        {
            if (await channel.BasicGetAsync(QueueNames.Undelivered, autoAck: false, cancellationToken) is not { } copy)
            {
                return;
            }

            if (copy.BasicProperties is { Type: MessageTypes.DeadLetter, UserId: { } user } && user == connection.User)
            {
                await transport.SendAsync(Again(copy), cancellationToken);
            }
            else
            {
                Log.Foreign(logger, copy.BasicProperties.UserId ?? "an unnamed user");
            }

            await channel.BasicAckAsync(copy.DeliveryTag, multiple: false, cancellationToken);
        }
    }

    private OutboxMessage Again(BasicGetResult copy) =>
        new()
        {
            MessageId = Guid.TryParse(copy.BasicProperties.MessageId, out var id) ? id : Guid.CreateVersion7(Time.GetUtcNow()),
            Exchange = Exchanges.DeadLetter,
            RoutingKey = copy.RoutingKey,
            Mandatory = false,
            Type = MessageTypes.DeadLetter,
            Body = copy.Body.ToArray(),
        };

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.UndeliveredForeign,
            LogLevel.Warning,
            "Dropped a message of {User} from dispatcher.server.undelivered, where only the server may write. Check the rights of that user"
        )]
        public static partial void Foreign(ILogger logger, string user);
    }
}
