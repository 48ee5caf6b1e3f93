using System.Globalization;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Outbox;

/// <summary>
/// Publishes with publisher confirms: the broker has the message when the task completes, and a mandatory message that no queue took is a
/// fault. It does not use the send endpoints of MassTransit, which declare their target. Every message has the <c>user_id</c> of the
/// server, which the broker verifies, so that a receiver can check the sender.
/// </summary>
/// <remarks>
/// Replies use a separate connection, which this type disposes. Their address comes from a producer, and the broker closes the connection
/// when it cannot decode an address. Only replies are lost then.
/// </remarks>
internal sealed class RabbitOutbox(RabbitConnection connection, RabbitConnection replies, StoreClock clock)
    : IOutboxTransport,
        IAsyncDisposable
{
    /// <summary>Unconfirmed messages; publishing waits beyond.</summary>
    private const int MaxUnconfirmed = 1_024;

    /// <summary>A queue that does not confirm (it lost its quorum) blocks the other messages for no longer.</summary>
    private static readonly TimeSpan MaxConfirm = TimeSpan.FromSeconds(10);

    private static readonly CreateChannelOptions Confirmed = new(
        publisherConfirmationsEnabled: true,
        publisherConfirmationTrackingEnabled: true,
        outstandingPublisherConfirmationsRateLimiter: new ThrottlingRateLimiter(MaxUnconfirmed)
    );

    private static readonly CreateChannelOptions Unconfirmed = new(
        publisherConfirmationsEnabled: false,
        publisherConfirmationTrackingEnabled: false
    );

    private static readonly Dictionary<string, string> NoHeaders = [];

    private readonly RabbitChannel _messages = new(connection, Confirmed);
    private readonly RabbitChannel _replies = new(replies, Unconfirmed);

    public async Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        var keepsFor = message.ExpiresAt is { } expiresAt ? TimeSpan.FromMicroseconds(expiresAt - clock.Now) : Timeout.InfiniteTimeSpan;
        if (keepsFor <= TimeSpan.Zero && message.ExpiresAt is not null)
        {
            return;
        }

        var channel = await _messages.OpenAsync(cancellationToken);
        var properties = new BasicProperties
        {
            MessageId = message.MessageId.ToString(),
            UserId = connection.User,
            Type = message.Type,
            ContentType = "application/json",
            DeliveryMode = DeliveryModes.Persistent,

            // A pool without workers must not fill the broker with attempts whose permits have expired.
            Expiration = message.ExpiresAt is null ? null : ((long)keepsFor.TotalMilliseconds).ToString(CultureInfo.InvariantCulture),
            Headers = HeadersOf(message.Type, message.Headers),
        };
        try
        {
            await channel
                .BasicPublishAsync(message.Exchange, message.RoutingKey, message.Mandatory, properties, message.Body, cancellationToken)
                .AsTask()
                .WaitAsync(MaxConfirm, cancellationToken);
        }
        catch (TimeoutException late)
        {
            throw new MessageRefusedException($"The broker did not confirm the message within {MaxConfirm}.", late);
        }
        catch (PublishException refused)
        {
            throw new MessageRefusedException(
                refused.IsReturn ? "No queue takes the message." : "The broker did not confirm the message.",
                refused
            );
        }
    }

    public async Task ReplyAsync(Reply reply, CancellationToken cancellationToken)
    {
        var channel = await _replies.OpenAsync(cancellationToken);
        var properties = new BasicProperties
        {
            UserId = replies.User,
            Type = reply.Type,
            ContentType = "application/json",
            CorrelationId = reply.CorrelationId,
            Headers = HeadersOf(reply.Type, NoHeaders),
        };
        await channel.BasicPublishAsync("", reply.Queue, mandatory: false, properties, reply.Body, cancellationToken);
    }

    private static Dictionary<string, object?>? HeadersOf(string type, IReadOnlyDictionary<string, string> given)
    {
        var urn = MessageTypes.MassTransitUrn(type);
        if (urn is null && given.Count == 0)
        {
            return null;
        }

        var headers = given.ToDictionary(header => header.Key, header => (object?)header.Value);
        if (urn is not null)
        {
            headers[Contracts.Headers.MassTransitType] = urn;
        }

        return headers;
    }

    public async ValueTask DisposeAsync()
    {
        await _messages.DisposeAsync();
        await _replies.DisposeAsync();
        await replies.DisposeAsync();
    }
}
