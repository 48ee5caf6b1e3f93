using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using MassTransit;

namespace Dispatcher.Embedded;

/// <summary>Sends stored messages within the process: to its own queues over MassTransit's in-memory transport, events to who listens at <c>/api/events</c>.</summary>
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
                // Copies of dead letters: there is no exchange to copy to, and the store has them. And what signals a retry later: the sweep does.
                break;
        }
    }

    /// <summary>There is no door with reply queues.</summary>
    public Task ReplyAsync(Reply reply, CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task SendAsync(string queue, OutboxMessage message, CancellationToken cancellationToken)
    {
        // The bus is asked for late: it is made after the outbox that its consumers need.
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
