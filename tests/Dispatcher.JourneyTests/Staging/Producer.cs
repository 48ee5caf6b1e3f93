using System.Collections.Concurrent;
using System.Text.Json;
using Dispatcher.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A client that knows only the wire. It publishes with <c>user_id</c> and confirms, again until the broker has the message, and collects
/// what comes to its reply queue and its event queue.
/// </summary>
internal sealed class Producer : IAsyncDisposable
{
    /// <summary>Stands for the user the producer is connected as.</summary>
    public const string Self = "";

    private readonly string _user;
    private readonly ConnectionFactory _factory;
    private readonly SemaphoreSlim _opening = new(1);
    private readonly CancellationTokenSource _closing = new();
    private IConnection? _connection;
    private IChannel? _publisher;
    private Task _consuming = Task.CompletedTask;

    private Producer(Uri broker, string user)
    {
        _user = user;
        _factory = new ConnectionFactory
        {
            Uri = broker,
            AutomaticRecoveryEnabled = false,
            RequestedConnectionTimeout = TimeSpan.FromSeconds(5),
        };
        JourneyTls.Trust(_factory);
    }

    /// <summary>Answers to submissions, by correlation id: type and body.</summary>
    public ConcurrentDictionary<string, ConcurrentQueue<(string Type, byte[] Body)>> Answers { get; } = new();

    /// <summary>Events of jobs, by job and event id: those that came twice are here once.</summary>
    public ConcurrentDictionary<Guid, ConcurrentDictionary<Guid, JobEvent>> Events { get; } = new();

    /// <summary>Events of submissions that became no job.</summary>
    public ConcurrentDictionary<Guid, JobEvent> Refusals { get; } = new();

    /// <summary>Copies of dead letters, by message id.</summary>
    public ConcurrentDictionary<string, (string RoutingKey, byte[] Body)> DeadLetters { get; } = new();

    private string ReplyQueue => $"reply.{_user}.journey";

    private string EventQueue => $"{_user}.events";

    private string DeadLetterQueue => $"{_user}.dead-letters";

    public static async Task<Producer> ConnectAsync(Uri broker, string user)
    {
        var producer = new Producer(broker, user);
        var channel = await producer.PublisherAsync();
        var quorum = new Dictionary<string, object?> { ["x-queue-type"] = "quorum" };
        foreach (var queue in new[] { producer.ReplyQueue, producer.EventQueue, producer.DeadLetterQueue })
        {
            await channel.QueueDeclareAsync(queue, durable: true, exclusive: false, autoDelete: false, quorum, cancellationToken: Now);
        }

        await channel.QueueBindAsync(producer.EventQueue, Exchanges.Events, $"*.{user}.#", cancellationToken: Now);
        await channel.QueueBindAsync(producer.EventQueue, Exchanges.Events, "refused.unknown.#", cancellationToken: Now);
        await channel.QueueBindAsync(producer.DeadLetterQueue, Exchanges.DeadLetter, "#", cancellationToken: Now);
        producer._consuming = producer.ConsumeUntilClosedAsync();
        return producer;
    }

    public Task PublishAsync(params IEnumerable<AJob> jobs) => PublishAsync(jobs.Select(job => job.Parcel()));

    /// <summary>Returns when the broker has confirmed all of them; what it did not confirm is published again.</summary>
    public async Task PublishAsync(IEnumerable<Parcel> parcels)
    {
        foreach (var some in parcels.Chunk(200))
        {
            await Task.WhenAll(some.Select(PublishUntilConfirmedAsync));
        }
    }

    public JobDecision? Decision(AJob job) =>
        Answered(job.JobId.ToString(), MessageTypes.Decision, WireJson.Default.JobDecision) is [var first, ..] ? first : null;

    public JobEvent? Final(AJob job) => Finals(job) is [var first, ..] ? first : null;

    public IReadOnlyList<JobEvent> Finals(AJob job) => Answered(job.JobId.ToString(), MessageTypes.Event, WireJson.Default.JobEvent);

    public IReadOnlyList<Refused> RefusalsOf(string name) => Answered(name, MessageTypes.Refused, WireJson.Default.Refused);

    public IReadOnlyList<JobDecision> Decisions(AJob job) =>
        Answered(job.JobId.ToString(), MessageTypes.Decision, WireJson.Default.JobDecision);

    /// <summary>The names of a job's events, in no order.</summary>
    public IReadOnlyList<string> EventsOf(AJob job) =>
        Events.TryGetValue(job.JobId, out var events) ? [.. events.Values.Select(e => e.Event)] : [];

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _consuming.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }

        _opening.Dispose();
        _closing.Dispose();
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private IReadOnlyList<T> Answered<T>(string name, string type, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> json) =>
        Answers.TryGetValue(name, out var answers)
            ? [.. answers.Where(answer => answer.Type == type).Select(answer => JsonSerializer.Deserialize(answer.Body, json)!)]
            : [];

    private async Task PublishUntilConfirmedAsync(Parcel parcel)
    {
        while (true)
        {
            try
            {
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(Now);
                limit.CancelAfter(TimeSpan.FromSeconds(15));
                var channel = await PublisherAsync();
                await channel.BasicPublishAsync(
                    Exchanges.Jobs,
                    parcel.RoutingKey,
                    mandatory: true,
                    parcel.Properties(_user, ReplyQueue),
                    parcel.Body,
                    limit.Token
                );
                return;
            }
#pragma warning disable CA1031 // A producer retries after any exception of the client.
            catch (Exception) when (!Now.IsCancellationRequested)
#pragma warning restore CA1031
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), Now);
            }
        }
    }

    private async Task<IChannel> PublisherAsync()
    {
        await _opening.WaitAsync(Now);
        try
        {
            if (_connection is not { IsOpen: true })
            {
                _connection = await _factory.CreateConnectionAsync(Now);
            }

            return _publisher = _publisher is { IsOpen: true } open
                ? open
                : await _connection.CreateChannelAsync(
                    new CreateChannelOptions(
                        publisherConfirmationsEnabled: true,
                        publisherConfirmationTrackingEnabled: true,
                        new ThrottlingRateLimiter(512)
                    ),
                    Now
                );
        }
        finally
        {
            _opening.Release();
        }
    }

    private async Task ConsumeUntilClosedAsync()
    {
        while (!_closing.IsCancellationRequested)
        {
            try
            {
                // A queue whose leader is not elected yet lets a consume wait without an end.
                using var limit = CancellationTokenSource.CreateLinkedTokenSource(_closing.Token);
                limit.CancelAfter(TimeSpan.FromSeconds(5));
                await using var connection = await _factory.CreateConnectionAsync(limit.Token);
                var lost = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                connection.ConnectionShutdownAsync += (_, _) => Task.FromResult(lost.TrySetResult());
                var channel = await connection.CreateChannelAsync(cancellationToken: limit.Token);
                channel.ChannelShutdownAsync += (_, _) => Task.FromResult(lost.TrySetResult());
                await channel.BasicQosAsync(0, 500, global: false, limit.Token);
                foreach (var queue in new[] { ReplyQueue, EventQueue, DeadLetterQueue })
                {
                    var consumer = new AsyncEventingBasicConsumer(channel);
                    consumer.ReceivedAsync += (_, message) => KeepAsync(channel, queue, message);

                    // The broker cancels a consumer whose queue goes down, and leaves the channel open.
                    consumer.UnregisteredAsync += (_, _) => Task.FromResult(lost.TrySetResult());
                    await channel.BasicConsumeAsync(queue, autoAck: false, consumer, limit.Token);
                }

                await lost.Task.WaitAsync(_closing.Token);
            }
#pragma warning disable CA1031 // The broker is away: connected again until the journey ends.
            catch (Exception) when (!_closing.IsCancellationRequested)
#pragma warning restore CA1031
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200), _closing.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task KeepAsync(IChannel channel, string queue, BasicDeliverEventArgs message)
    {
        var body = message.Body.ToArray();
        if (queue == ReplyQueue)
        {
            Answers.GetOrAdd(message.BasicProperties.CorrelationId ?? "", _ => new()).Enqueue((message.BasicProperties.Type ?? "", body));
        }
        else if (queue == DeadLetterQueue)
        {
            DeadLetters[message.BasicProperties.MessageId ?? ""] = (message.RoutingKey, body);
        }
        else if (JsonSerializer.Deserialize(body, WireJson.Default.JobEvent) is { } happened)
        {
            (happened.JobId is { } id ? Events.GetOrAdd(id, _ => new()) : Refusals)[happened.EventId] = happened;
        }

        await channel.BasicAckAsync(message.DeliveryTag, multiple: false);
    }
}
