using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using MassTransit;

namespace Dispatcher.Embedded;

/// <summary>
/// Sends stored messages within the process: work over MassTransit's in-memory transport, events to the listeners at <c>/api/events</c>.
/// </summary>
internal sealed class InMemoryOutbox(IServiceProvider services, EventStream events) : IOutboxTransport
{
    private readonly RawSerialization _raw = new();

    public async Task SendAsync(OutboxMessage message, CancellationToken cancellationToken)
    {
        switch (message.Exchange)
        {
            case "":
                await SendAsync(message.RoutingKey, message, cancellationToken);
                break;
            case Exchanges.Work:
                await SendAsync(Queues.Work(message.RoutingKey), message, cancellationToken);
                break;
            case Exchanges.Events:
                events.Publish(message.Body);
                break;
            default:
                // Copies of dead letters: no exchange exists, and the store has them. Delayed signals of retries: the sweep replaces them.
                break;
        }
    }

    /// <summary>Not called with replies: the embedded server has no AMQP channel.</summary>
    public Task ReplyAsync(Reply reply, CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task SendAsync(string queue, OutboxMessage message, CancellationToken cancellationToken)
    {
        // Resolved late: the bus is created after the outbox, which its consumers need.
        var endpoint = await services.GetRequiredService<IBus>().GetSendEndpoint(new Uri("queue:" + queue));
        await endpoint.Send(
            new RawMessage(message.Body),
            context =>
            {
                context.Serializer = _raw;
                foreach (var (name, value) in message.Headers)
                {
                    context.Headers.Set(name, value);
                }
            },
            cancellationToken
        );
    }
}
