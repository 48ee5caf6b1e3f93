using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.Outbox;

/// <summary>
/// Feeds <see cref="EventStream"/> with the events of all servers, while somebody listens: from an exclusive queue of this process, bound
/// to the events' exchange. It has a connection of its own: whatever happens to it concerns listeners only, and they are told by the end
/// of their streams.
/// </summary>
internal sealed partial class RabbitEvents(Uri address, EventStream stream, TimeProvider time, ILogger<RabbitEvents> logger)
    : BackgroundService
{
    /// <summary>The broker drops the oldest beyond. This process only looks at them, so that the queue is empty as a rule.</summary>
    private const int LongestQueue = 10_000;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>How often to look whether anybody still listens.</summary>
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
#pragma warning disable CA1031 // The loop must live, whatever the broker answers.
            catch (Exception lost) when (!stoppingToken.IsCancellationRequested)
#pragma warning restore CA1031
            {
                Log.Lost(logger, Pause, lost);
                stream.Disconnect();
                await Task.Delay(Pause, time, stoppingToken);
            }
        }
    }

    /// <summary>Returns when nobody listens any more; throws when the broker is lost.</summary>
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
        var arguments = new Dictionary<string, object?> { ["x-max-length"] = LongestQueue, ["x-overflow"] = "drop-head" };
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
            "The event streams lost the broker and were ended; connecting again in {Pause} if anybody listens"
        )]
        public static partial void Lost(ILogger logger, TimeSpan pause, Exception reason);
    }
}
