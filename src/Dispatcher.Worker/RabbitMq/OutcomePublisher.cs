using System.Text.Json;
using Dispatcher.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Worker.RabbitMq;

/// <summary>Publishes outcomes, one batch after the other, on a channel with publisher confirms.</summary>
internal sealed class OutcomePublisher(BrokerConnection connection) : IAsyncDisposable
{
    /// <summary>How long the broker may take to confirm a batch. After it, the worker sends the batch again.</summary>
    private static readonly TimeSpan ConfirmTime = TimeSpan.FromSeconds(30);

    private readonly SemaphoreSlim _sending = new(1);
    private IChannel? _channel;

    /// <summary>Returns when the broker has confirmed the batch; throws when it refused the batch or has no queue for it.</summary>
    public async Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(batch, WireJson.Default.OutcomeBatch);
        await _sending.WaitAsync(cancellationToken);
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(ConfirmTime);
            var confirms = new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true);
            _channel = _channel is { IsOpen: true } open ? open : await connection.OpenChannelAsync(confirms, timeout.Token);
            // The dispatcher accepts outcomes only from the user that claimed; the broker verifies user_id.
            var properties = new BasicProperties
            {
                ContentType = "application/json",
                DeliveryMode = DeliveryModes.Persistent,
                UserId = connection.UserName,
            };
            await _channel.BasicPublishAsync(Exchanges.Outcomes, "", mandatory: true, properties, body, timeout.Token);
        }
        catch (PublishException exception)
        {
            throw new IOException(
                exception.IsReturn
                    ? $"No queue is bound to exchange {Exchanges.Outcomes}; the server declares it when it starts."
                    : "The broker refused the outcomes.",
                exception
            );
        }
        catch
        {
            await CloseAsync();
            throw;
        }
        finally
        {
            _sending.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _sending.Dispose();
    }

    private async Task CloseAsync() => await (Interlocked.Exchange(ref _channel, null)?.DisposeAsync() ?? ValueTask.CompletedTask);
}
