using Dispatcher.Benchmarks.Children;
using Dispatcher.Benchmarks.Contestants;
using Dispatcher.Benchmarks.Staging;
using RabbitMQ.Client;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>Publishes jobs with confirms, as a producer does.</summary>
internal sealed class JobPublisher : IAsyncDisposable
{
    /// <summary>Most jobs that are published and not final.</summary>
    private const int MaxInFlight = 4_000;

    private const int Chunk = 200;
    private static readonly TimeSpan LongestStandstill = TimeSpan.FromSeconds(60);

    private readonly RunningContestant _running;
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private int _number;

    private JobPublisher(RunningContestant running, IConnection connection, IChannel channel) =>
        (_running, _connection, _channel) = (running, connection, channel);

    /// <summary>Jobs published since the start.</summary>
    public int Published => _number;

    public static async Task<JobPublisher> ConnectAsync(Stage stage, RunningContestant running, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory { Uri = stage.BrokerAs(Stage.Producer) };
        var connection = await factory.CreateConnectionAsync(cancellationToken);
        var confirmed = new CreateChannelOptions(
            publisherConfirmationsEnabled: true,
            publisherConfirmationTrackingEnabled: true,
            outstandingPublisherConfirmationsRateLimiter: null
        );
        return new JobPublisher(running, connection, await connection.CreateChannelAsync(confirmed, cancellationToken));
    }

    /// <summary>Publishes jobs and waits until all are final. Returns the jobs per second.</summary>
    public async Task<double> RunAsync(int jobs, CancellationToken cancellationToken)
    {
        var start = TimeProvider.System.GetUtcNow();
        var last = _number + jobs;
        var done = _number;
        while (_number < last)
        {
            if (_number - done + Chunk > MaxInFlight)
            {
                done = await DoneAsync(done, MaxInFlight - Chunk, cancellationToken);
            }

            await Task.WhenAll(
                Enumerable.Range(0, Math.Min(Chunk, last - _number)).Select(_ => PublishAsync(Guid.CreateVersion7(), cancellationToken))
            );
        }

        await DoneAsync(done, 0, cancellationToken);
        var end = await _running.LastEndAsync(cancellationToken) ?? TimeProvider.System.GetUtcNow();
        return jobs / (end - start).TotalSeconds;
    }

    /// <summary>Publishes one job. Ends when the broker has confirmed it.</summary>
    public async Task PublishAsync(Guid jobId, CancellationToken cancellationToken)
    {
        var topic = _running.Topic(_number);
        var properties = new BasicProperties
        {
            MessageId = jobId.ToString(),
            UserId = Stage.Producer,
            ContentType = "application/json",
            DeliveryMode = DeliveryModes.Persistent,
        };
        var body = SubmittedJob.Body(jobId, topic, _number++);
        await _channel.BasicPublishAsync(_running.Exchange, _running.RoutingKey(topic), false, properties, body, cancellationToken);
    }

    public async ValueTask DisposeAsync() => await _connection.DisposeAsync();

    /// <summary>Waits until at most so many of the published jobs are not final. Returns how many are.</summary>
    private async Task<int> DoneAsync(int done, int inFlight, CancellationToken cancellationToken)
    {
        var standstill = System.Diagnostics.Stopwatch.StartNew();
        while (true)
        {
            var now = (int)await _running.DoneAsync(cancellationToken);
            if (now > done)
            {
                (done, standstill) = (now, System.Diagnostics.Stopwatch.StartNew());
            }

            if (_number - done <= inFlight)
            {
                return done;
            }

            _running.CheckRuns();
            if (standstill.Elapsed > LongestStandstill)
            {
                throw new TimeoutException(
                    $"No job ended for a minute; {done} of {_number} have.\n"
                        + string.Join('\n', _running.Processes.Select(one => one.Process.Log))
                );
            }

            await Task.Delay(_running.Poll, cancellationToken);
        }
    }
}
