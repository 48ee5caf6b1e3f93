using System.Text;
using System.Text.Json;
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
/// Work and outcomes over RabbitMQ, claims and heartbeats over HTTP. Declares and binds nothing: the server does, and a worker's user needs no configure right.
/// </summary>
/// <remarks>
/// The client's automatic recovery is off: it brings back connections but not a channel or consumer that the broker closed. Here whatever is found closed is opened again,
/// in one way for all three.
/// </remarks>
public sealed partial class RabbitMqWorkerTransport : IWorkerTransport
{
    /// <summary>How long the broker may take to confirm outcomes before they are sent again.</summary>
    private static readonly TimeSpan ConfirmTime = TimeSpan.FromSeconds(30);

    /// <summary>Between a lost consumer and the next one, so that a broker which closes each at once is not hammered.</summary>
    private static readonly TimeSpan ReopenPause = TimeSpan.FromMilliseconds(200);

    /// <summary>The client closes a connection that delivers a larger body, and the broker would deliver it again. RabbitMQ accepts at most 512 MiB, however it is configured.</summary>
    private const uint LargestMessage = 1_073_741_824;

    private readonly ConnectionFactory _factory;
    private readonly AttemptsApi _attempts;
    private readonly TimeProvider _clock;
    private readonly ILogger _log;
    private readonly ResiliencePipeline _untilConsuming;
    private readonly SemaphoreSlim _connecting = new(1);
    private readonly SemaphoreSlim _sending = new(1);
    private IConnection? _connection;
    private IChannel? _publisher;
    private IChannel? _paused;
    private volatile bool _hasConsumed; // From then on a missing right may come back, for example with a virtual host that is made again.

    internal RabbitMqWorkerTransport(WorkerOptions options, TimeProvider clock, ILogger<RabbitMqWorkerTransport> log)
    {
        (_clock, _log) = (clock, log);
        // Not null: WorkerAddressValidator has checked them.
        _attempts = new AttemptsApi(options.Dispatcher!, options.ApiKey!);
        _factory = new ConnectionFactory
        {
            Uri = options.RabbitMq!,
            AutomaticRecoveryEnabled = false,
            ClientProvidedName = options.Instance,
            MaxInboundMessageBodySize = LargestMessage,
            RequestedHeartbeat = TimeSpan.FromSeconds(15),
            RequestedConnectionTimeout = TimeSpan.FromSeconds(10),
        };
        _untilConsuming = WorkerRetry.UntilSuccess(
            clock,
            fault => Log.ConnectionLost(_log, _factory.HostName, Reason(fault)),
            fault => _hasConsumed || fault is not WorkerNotAllowedException
        );
    }

    /// <inheritdoc/>
    /// <remarks>
    /// The broker checks the right to write, the exchange and <c>user_id</c> when a message is published. Nothing is sent: the transaction is
    /// rolled back.
    /// </remarks>
    public async Task CheckAsync(CancellationToken cancellationToken)
    {
        var connection = await ConnectAsync(cancellationToken);
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        try
        {
            await channel.TxSelectAsync(cancellationToken);
            var sender = new BasicProperties { UserId = _factory.UserName };
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
        // What is still unanswered there goes back to the queue.
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
                Log.Connected(_log, Queues.Work(pool), _factory.HostName);
                await using (cancellationToken.Register(() => consumer.Ended.TrySetCanceled(cancellationToken)))
                {
                    Log.ConnectionLost(_log, _factory.HostName, await EndOfAsync(consumer));
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
        _attempts.HeartbeatAsync(request, _factory.UserName, cancellationToken);

    /// <inheritdoc/>
    public async Task SendAsync(OutcomeBatch batch, CancellationToken cancellationToken)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(batch, WireJson.Default.OutcomeBatch);
        await _sending.WaitAsync(cancellationToken);
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(ConfirmTime);
            _publisher = _publisher is { IsOpen: true } open ? open : await OpenPublisherAsync(timeout.Token);
            // The server takes outcomes only from who claimed; the broker vouches for user_id.
            var properties = new BasicProperties
            {
                ContentType = "application/json",
                DeliveryMode = DeliveryModes.Persistent,
                UserId = _factory.UserName,
            };
            // Returns when the broker has confirmed; throws when it refused the batch or found no queue.
            await _publisher.BasicPublishAsync(Exchanges.Outcomes, "", mandatory: true, properties, body, timeout.Token);
        }
        catch (PublishException exception)
        {
            throw new IOException(
                exception.IsReturn
                    ? $"No queue is bound to exchange {Exchanges.Outcomes}: has the server declared it?"
                    : "The broker refused the outcomes.",
                exception
            );
        }
        catch
        {
            await ClosePublisherAsync();
            throw;
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await ClosePublisherAsync();
        if (_connection is { } connection)
        {
            await connection.DisposeAsync();
        }

        _attempts.Dispose();
        _connecting.Dispose();
        _sending.Dispose();
    }

    private async Task<OpenConsumer> OpenConsumerAsync(
        string pool,
        int prefetch,
        Func<Delivery, Task> onDelivery,
        CancellationToken cancellationToken
    )
    {
        // Each time: rights may have changed, and a run whose outcome cannot be sent is lost.
        await CheckAsync(cancellationToken);
        var connection = await ConnectAsync(cancellationToken);
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
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
            var consumer = new AsyncEventingBasicConsumer(channel);
            consumer.ReceivedAsync += (_, message) => onDelivery(DeliveryOf(channel, message));
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

    // Why the consumer ended. When it was told to: the channel stays open, for the acks that are still to come.
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
                async () => await consumer.Channel.BasicCancelAsync(consumer.Tag, cancellationToken: CancellationToken.None)
            );
            // What was on its way is handed over before that.
            await consumer.Drained.Task;
            throw;
        }
    }

    private static Delivery DeliveryOf(IChannel channel, BasicDeliverEventArgs message) =>
        new()
        {
            // Copied: the client reuses the buffer when this callback returns.
            Body = message.Body.ToArray(),
            Permit = Text(message, Headers.Permit),
            TraceParent = Text(message, Headers.TraceParent),
            AckAsync = () => AnswerAsync(channel, () => channel.BasicAckAsync(message.DeliveryTag, multiple: false)),
            ReturnAsync = () => AnswerAsync(channel, () => channel.BasicNackAsync(message.DeliveryTag, multiple: false, requeue: true)),
        };

    private static async Task AnswerAsync(IChannel channel, Func<ValueTask> answer)
    {
        try
        {
            await answer();
        }
#pragma warning disable CA1031 // The client throws four types for a channel that is gone; what they mean is said below.
        catch (Exception) when (!channel.IsOpen)
#pragma warning restore CA1031
        {
            // The channel is gone and the message with it: it is delivered again, and its second claim is refused.
        }
    }

    private static string? Text(BasicDeliverEventArgs message, string header) =>
        message.BasicProperties.Headers?.TryGetValue(header, out var value) == true && value is byte[] bytes
            ? Encoding.UTF8.GetString(bytes)
            : null;

    private async Task<IChannel> OpenPublisherAsync(CancellationToken cancellationToken)
    {
        var connection = await ConnectAsync(cancellationToken);
        return await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true),
            cancellationToken
        );
    }

    private async Task ClosePublisherAsync() =>
        await (Interlocked.Exchange(ref _publisher, null)?.DisposeAsync() ?? ValueTask.CompletedTask);

    private async Task<IConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        await _connecting.WaitAsync(cancellationToken);
        try
        {
            if (_connection is { IsOpen: true } open)
            {
                return open;
            }

            if (_connection is { } closed)
            {
                _connection = null;
                await closed.DisposeAsync();
            }

            return _connection = await _factory.CreateConnectionAsync(cancellationToken);
        }
        finally
        {
            _connecting.Release();
        }
    }

    private static bool IsRefused(OperationInterruptedException fault) => fault.ShutdownReason?.ReplyCode == Constants.AccessRefused;

    private WorkerNotAllowedException NotAllowed(string right, Exception exception) =>
        new(
            $"Broker user {_factory.UserName} may not {right}, in virtual host {_factory.VirtualHost}. "
                + $"Give it the rights of a worker: see Broker users in the README. The broker says: {Reason(exception)}",
            exception
        );

    // "None of the specified endpoints were reachable" hides what went wrong.
    private static string Reason(Exception exception) => exception.GetBaseException().Message;

    private sealed record OpenConsumer(IChannel Channel, string Tag, TaskCompletionSource<string> Ended, TaskCompletionSource Drained);

    private static partial class Log
    {
        [LoggerMessage(WorkerEventIds.Connected, LogLevel.Information, "Consuming {Queue} at {Host}")]
        public static partial void Connected(ILogger logger, string queue, string host);

        [LoggerMessage(WorkerEventIds.ConnectionLost, LogLevel.Warning, "Not consuming at {Host}, connecting again ({Reason})")]
        public static partial void ConnectionLost(ILogger logger, string host, string reason);
    }
}
