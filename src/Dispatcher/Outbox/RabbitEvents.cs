using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.Outbox;

/// <summary>
/// Feeds <see cref="EventStream"/> with the events of all servers while there are listeners, from an exclusive queue that is bound to the
/// events exchange. It has a separate connection, so that its loss ends only the streams.
/// </summary>
internal sealed partial class RabbitEvents(Uri address, EventStream stream, TimeProvider time, ILogger<RabbitEvents> logger)
    : BackgroundService
{
    /// <summary>Events in the queue; the broker drops the oldest beyond. Usually the queue is empty.</summary>
    private const int MaxQueue = 10_000;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>How often the number of listeners is checked.</summary>
    private static readonly TimeSpan UnusedCheck = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (true)
        {
            await stream.WantedAsync(stoppingToken);
            try
            {
                await FeedAsync(stoppingToken);
            }
#pragma warning disable CA1031 // The loop must continue after any fault of the broker.
            catch (Exception lost) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.Lost(logger, Pause, lost);
                stream.Disconnect();
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
    }

    /// <summary>Returns when there are no listeners. Throws when the connection is lost.</summary>
    private async Task FeedAsync(CancellationToken cancellationToken)
    {
        await using var connection = new RabbitConnection(address, "dispatcher events");
        var open = await connection.OpenAsync(cancellationToken);
        await using var channel = await open.CreateChannelAsync(cancellationToken: cancellationToken);
        var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        channel.ChannelShutdownAsync += (_, shutdown) =>
        {
            lost.TrySetException(new IOException(shutdown.ReplyText));
            return Task.CompletedTask;
        };
        var queue = QueueNames.EventStreams(Guid.CreateVersion7(time.GetUtcNow()));
        var arguments = new Dictionary<string, object?> { ["x-max-length"] = MaxQueue, ["x-overflow"] = "drop-head" };
        await channel.QueueDeclareAsync(
            queue,
            durable: false,
            exclusive: true,
            autoDelete: true,
            arguments,
            cancellationToken: cancellationToken
        );
        await channel.QueueBindAsync(queue, Exchanges.Events, "#", cancellationToken: cancellationToken);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            stream.Publish(delivery.Body);
            return Task.CompletedTask;
        };
        consumer.UnregisteredAsync += (_, _) =>
        {
            lost.TrySetException(new IOException("The broker ended the subscription."));
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue, autoAck: true, consumer, cancellationToken);
        stream.Connected();
        do
        {
            await Task.WhenAny(lost.Task, Task.Delay(UnusedCheck, time, cancellationToken));
            cancellationToken.ThrowIfCancellationRequested();
            if (lost.Task.IsCompleted)
            {
                await lost.Task;
            }
        } while (!stream.Disconnect(ifUnused: true));
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.EventsLost,
            LogLevel.Warning,
            "The event streams lost the connection to the broker and ended; they connect again in {Pause} if there are listeners"
        )]
        public static partial void Lost(ILogger logger, TimeSpan pause, Exception reason);
    }
}
