using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Diagnostics;
using Dispatcher.Benchmarks.Staging;
using Dispatcher.Contracts;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.Benchmarks.Measuring;

/// <summary>Receives the final events of jobs, as a subscriber does, and notes when each arrives.</summary>
internal sealed class EventListener : IAsyncDisposable
{
    private const int IdLength = 36;

    private readonly IConnection _connection;
    private readonly ConcurrentDictionary<Guid, long> _arrived = [];

    private EventListener(IConnection connection) => _connection = connection;

    public static async Task<EventListener> ConnectAsync(Stage stage, CancellationToken cancellationToken)
    {
        var factory = new ConnectionFactory { Uri = stage.BrokerAs(Stage.Producer) };
        var connection = await factory.CreateConnectionAsync(cancellationToken);
        var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        var queue = await channel.QueueDeclareAsync(cancellationToken: cancellationToken);
        await channel.QueueBindAsync(queue.QueueName, Exchanges.Events, "succeeded.#", cancellationToken: cancellationToken);
        var listener = new EventListener(connection);
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            listener.Note(delivery.Body.Span);
            return Task.CompletedTask;
        };
        await channel.BasicConsumeAsync(queue.QueueName, autoAck: true, consumer, cancellationToken);
        return listener;
    }

    /// <summary>The first arrival of a job's event, as a timestamp of <see cref="Stopwatch"/>. Null: not yet.</summary>
    public long? ArrivalOf(Guid jobId) => _arrived.TryGetValue(jobId, out var at) ? at : null;

    public ValueTask DisposeAsync() => _connection.DisposeAsync();

    /// <summary>The body is the event, or MassTransit's envelope around it.</summary>
    private void Note(ReadOnlySpan<byte> body)
    {
        var now = Stopwatch.GetTimestamp();
        var name = "\"job_id\""u8;
        var start = body.IndexOf(name);
        var value = start < 0 ? [] : body[(start + name.Length)..];
        var quote = value.IndexOf((byte)'"');
        if (quote >= 0 && value.Length > quote + IdLength && Utf8Parser.TryParse(value.Slice(quote + 1, IdLength), out Guid jobId, out _))
        {
            _arrived.TryAdd(jobId, now);
        }
    }
}
