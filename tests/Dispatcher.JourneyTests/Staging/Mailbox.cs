using System.Collections.Concurrent;
using Dispatcher.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>Properties of a received message: its sender, its kind and its routing key.</summary>
internal sealed record Letter(string? UserId, string? Type, string RoutingKey);

/// <summary>A connection of one broker user with a queue of its own.</summary>
internal sealed class Mailbox : IAsyncDisposable
{
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _user;

    private Mailbox(IConnection connection, IChannel channel, string user)
    {
        _connection = connection;
        _channel = channel;
        _user = user;
    }

    public ConcurrentQueue<Letter> Received { get; } = new();

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>Declares the queue, unless it is the direct reply, binds it if an exchange is given, and consumes from it.</summary>
    public static async Task<Mailbox> OpenAsync(Journey journey, string user, string queue, string? exchange = null, string? key = null)
    {
        var connection = await journey.ConnectAsync(user);
        var confirmed = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
        var channel = await connection.CreateChannelAsync(confirmed, Now);
        var mailbox = new Mailbox(connection, channel, user);
        if (queue != "amq.rabbitmq.reply-to")
        {
            await channel.QueueDeclareAsync(queue, durable: false, exclusive: true, autoDelete: false, cancellationToken: Now);
        }

        if (exchange is not null)
        {
            await channel.QueueBindAsync(queue, exchange, key!, cancellationToken: Now);
        }

        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, message) =>
        {
            mailbox.Received.Enqueue(new Letter(message.BasicProperties.UserId, message.BasicProperties.Type, message.RoutingKey));
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, Now);
        return mailbox;
    }

    public async Task PublishAsync(AJob job, string replyTo) =>
        await _channel.BasicPublishAsync(
            Exchanges.Jobs,
            job.Topic,
            mandatory: true,
            job.Parcel().Properties(_user, replyTo),
            job.Body(),
            Now
        );

    public async ValueTask DisposeAsync()
    {
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
