using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Worker.Pools;
using Microsoft.Extensions.Logging;
using Polly;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;
using RabbitMQ.Client.Exceptions;
using Headers = Dispatcher.Contracts.Headers;

namespace Dispatcher.Worker.RabbitMq;

/// <summary>
/// Work and outcomes over RabbitMQ, claims and heartbeats over HTTP. The server declares queues and exchanges, so the worker's user
/// needs no configure right.
/// </summary>
/// <remarks>
/// The client's automatic recovery is off: it restores connections, but not a channel or consumer that the broker closed. This class
/// opens all three again in the same way.
/// </remarks>
public sealed partial class RabbitMqWorkerTransport : IWorkerTransport
{
    /// <summary>The pause before a lost consumer is replaced, so that a broker that closes each one at once is not flooded.</summary>
    private static readonly TimeSpan ReopenPause = TimeSpan.FromMilliseconds(200);

    private readonly BrokerConnection _connection;
    private readonly OutcomePublisher _publisher;
    private readonly AttemptsApi _attempts;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly ResiliencePipeline _untilConsuming;
    private IChannel? _paused;
    private volatile bool _hasConsumed; // Later a right may be missing only for a time, for example while a virtual host is created again.

    internal RabbitMqWorkerTransport(WorkerOptions options, TimeProvider clock, ILogger<RabbitMqWorkerTransport> log)
    {
        (_clock, _log) = (clock, log);
        // Not null: WorkerAddressValidator has checked them.
        _attempts = new AttemptsApi(options.Dispatcher!, options.ApiKey!);
        _connection = new BrokerConnection(options.RabbitMq!, options.Instance);
        _publisher = new OutcomePublisher(_connection);
        foreach (var address in (Uri[])[options.RabbitMq!, options.Dispatcher!])
        {
            if (address is { IsLoopback: false, Scheme: "amqp" or "http" })
            {
                Log.PlainText(_log, address.Authority, address.Scheme, address.Scheme + "s");
            }
        }

        _untilConsuming = WorkerRetry.UntilSuccess(
            clock,
            fault => Log.ConnectionLost(_log, _connection.HostName, Reason(fault)),
            fault => _hasConsumed || fault is not WorkerNotAllowedException
        );
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The broker checks the right to write, the exchange and <c>user_id</c> when a message is published. The transaction is rolled back,
    /// so no message is sent.
    /// </remarks>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        await using var channel = await _connection.OpenChannelAsync(null, cancellationToken);
        try
        {
            await channel.TxSelectAsync(cancellationToken);
            var sender = new BasicProperties { UserId = _connection.UserName };
            await channel.BasicPublishAsync(
                Exchanges.Outcomes,
                "",
                mandatory: false,
                sender,
                ReadOnlyMemory<byte>.Empty,
                cancellationToken
            );
            await channel.TxRollbackAsync(cancellationToken);
        }
        catch (OperationInterruptedException exception) when (IsRefused(exception))
        {
            throw NotAllowed("write to exchange " + Exchanges.Outcomes, exception);
        }
    }

    /// <inheritdoc/>
    public async Task ConsumeAsync(string pool, int prefetch, Func<Delivery, Task> onDelivery, CancellationToken cancellationToken)
    {
        // The broker requeues what is still unanswered on that channel.
        await (Interlocked.Exchange(ref _paused, null)?.DisposeAsync() ?? ValueTask.CompletedTask);
        try
        {
            while (true)
            {
                var consumer = await _untilConsuming.ExecuteAsync(
                    async token => await OpenConsumerAsync(pool, prefetch, onDelivery, token),
                    cancellationToken
                );
                _hasConsumed = true;
                Log.Connected(_log, Queues.Work(pool), _connection.HostName);
                await using (cancellationToken.Register(() => consumer.Ended.TrySetCanceled(cancellationToken)))
                {
                    Log.ConnectionLost(_log, _connection.HostName, await EndOfAsync(consumer));
                }

                await consumer.Channel.DisposeAsync();
                await Task.Delay(ReopenPause, _clock, cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // Stopped.
        }
    }

    /// <inheritdoc/>
    public Task<ClaimAnswer> ClaimAsync(ClaimRequest request, CancellationToken cancellationToken) =>
        _attempts.ClaimAsync(request, cancellationToken);

    /// <inheritdoc/>
    public Task<HeartbeatAnswer> HeartbeatAsync(HeartbeatRequest request, CancellationToken cancellationToken) =>
        _attempts.HeartbeatAsync(request, _connection.UserName, cancellationToken);

    /// <inheritdoc/>
    public Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken) => _publisher.SendAsync(batch, cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _publisher.DisposeAsync();
        await _connection.DisposeAsync();
        _attempts.Dispose();
    }

    private async Task<OpenConsumer> OpenConsumerAsync(
        string pool,
        int prefetch,
        Func<Delivery, Task> onDelivery,
        CancellationToken cancellationToken
    )
    {
        // At each opening: rights may have changed, and a run whose outcome cannot be sent is lost.
        await CheckAsync(cancellationToken);
        var channel = await _connection.OpenChannelAsync(null, cancellationToken);
        try
        {
            var ended = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            var drained = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Task End(string why)
            {
                ended.TrySetResult(why);
                drained.TrySetResult();
                return Task.CompletedTask;
            }

            channel.ChannelShutdownAsync += (_, reason) => End(reason.ReplyText);
            var acks = new ChannelAcks((tag, multiple) => channel.BasicAckAsync(tag, multiple));
            var consumer = new AsyncEventingBasicConsumer(channel);
            consumer.ReceivedAsync += (_, message) => onDelivery(DeliveryOf(channel, acks, message));
            consumer.UnregisteredAsync += (_, _) => End("the broker cancelled the consumer");
            await channel.BasicQosAsync(0, (ushort)Math.Min(prefetch, ushort.MaxValue), global: false, cancellationToken);
            var tag = await channel.BasicConsumeAsync(Queues.Work(pool), autoAck: false, consumer, cancellationToken);
            return new OpenConsumer(channel, tag, ended, drained);
        }
        catch (Exception exception)
        {
            await channel.DisposeAsync();
            if (exception is OperationInterruptedException refused && IsRefused(refused))
            {
                throw NotAllowed("read queue " + Queues.Work(pool), refused);
            }

            throw;
        }
    }

    // Returns why the consumer ended. After a cancellation the channel stays open for the acks that follow.
    private async Task<string> EndOfAsync(OpenConsumer consumer)
    {
        try
        {
            return await consumer.Ended.Task;
        }
        catch (OperationCanceledException)
        {
            _paused = consumer.Channel;
            await AnswerAsync(
                consumer.Channel,
                () => consumer.Channel.BasicCancelAsync(consumer.Tag, cancellationToken: CancellationToken.None)
            );
            // Deliveries on their way are handed over before that.
            await consumer.Drained.Task;
            throw;
        }
    }

    private static Delivery DeliveryOf(IChannel channel, ChannelAcks acks, BasicDeliverEventArgs message)
    {
        var tag = message.DeliveryTag;
        return new Delivery
        {
            // Copied: the client reuses the buffer when this callback returns.
            Body = message.Body.ToArray(),
            Permit = Text(message, Headers.Permit),
            TraceParent = Text(message, Headers.TraceParent),
            AckAsync = () => AnswerAsync(channel, () => acks.AckAsync(tag)),
            ReturnAsync = () =>
                AnswerAsync(channel, () => acks.NackAsync(tag, () => channel.BasicNackAsync(tag, multiple: false, requeue: true))),
        };
    }

    private static async Task AnswerAsync(IChannel channel, Func<Task> answer)
    {
        try
        {
            await answer();
        }
#pragma warning disable CA1031 // The client throws four exception types for a closed channel.
        catch (Exception) when (!channel.IsOpen)
#pragma warning restore CA1031
        {
            // The channel is closed: the broker redelivers the message, and its second claim is refused.
        }
    }

    private static string? Text(BasicDeliverEventArgs message, string header) =>
        message.BasicProperties.Headers?.TryGetValue(header, out var value) == true && value is byte[] bytes
            ? Encoding.UTF8.GetString(bytes)
            : null;

    private static bool IsRefused(OperationInterruptedException fault) => fault.ShutdownReason?.ReplyCode == Constants.AccessRefused;

    private WorkerNotAllowedException NotAllowed(string right, Exception exception) =>
        new(
            $"Broker user {_connection.UserName} may not {right}, in virtual host {_connection.VirtualHost}. "
                + $"Grant it the rights of a worker: see Broker users in ops/README.md. Answer of the broker: {Reason(exception)}",
            exception
        );

    // The outer message "None of the specified endpoints were reachable" hides the cause.
    private static string Reason(Exception exception) => exception.GetBaseException().Message;

    private sealed record OpenConsumer(IChannel Channel, string Tag, TaskCompletionSource<string> Ended, TaskCompletionSource Drained);

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.Connected, LogLevel.Information, "Consuming {Queue} at {Host}")]
        public static partial void Connected(ILogger logger, string queue, string host);

        [LoggerMessage(
            WorkerEventIds.PlainText,
            LogLevel.Warning,
            "The password or API key is sent to {Host} in plain text by {Scheme}://. Use {Secure}:// and a TLS port"
        )]
        public static partial void PlainText(ILogger logger, string host, string scheme, string secure);

        [LoggerMessage(WorkerEventIds.ConnectionLost, LogLevel.Warning, "Not consuming at {Host}; connecting again ({Reason})")]
        public static partial void ConnectionLost(ILogger logger, string host, string reason);
    }
}
