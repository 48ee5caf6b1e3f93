using System.Collections.Concurrent;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Dispatcher.Contracts;
using Dispatcher.Keys;
using Dispatcher.Relaying;

namespace Dispatcher.Events;

/// <summary>Events of the embedded server, as server-sent events: what the exchange is with RabbitMQ. A listener hears what happens while it listens.</summary>
internal sealed class EventStream
{
    private const int MostWaiting = 1_000;

    private readonly ConcurrentDictionary<Guid, Channel<OutboxMessage>> _listeners = new();

    /// <summary>A listener that is too slow loses the oldest.</summary>
    public void Publish(OutboxMessage message)
    {
        foreach (var listener in _listeners.Values)
        {
            listener.Writer.TryWrite(message);
        }
    }

    public async IAsyncEnumerable<SseItem<string>> ListenAsync(Func<JobEvent, bool> mayHear, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var id = Guid.CreateVersion7(time.GetUtcNow());
        var waiting = Channel.CreateBounded<OutboxMessage>(new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });
        _listeners[id] = waiting;
        try
        {
            await foreach (var message in waiting.Reader.ReadAllAsync(cancellationToken))
            {
                var happened = JsonSerializer.Deserialize(message.Body, WireJson.Default.JobEvent)!;
                if (mayHear(happened))
                {
                    yield return new SseItem<string>(Encoding.UTF8.GetString(message.Body), happened.Event) { EventId = happened.EventId.ToString() };
                }
            }
        }
        finally
        {
            _listeners.TryRemove(id, out _);
        }
    }
}

/// <summary><c>GET /api/events</c> of the embedded server.</summary>
internal static class EventEndpoints
{
    public static void MapEvents(this IEndpointRouteBuilder routes) => routes.MapGet(
        "/api/events",
        (ClaimsPrincipal caller, EventStream events, TimeProvider time, CancellationToken cancellationToken) => TypedResults.ServerSentEvents(
            events.ListenAsync(happened => caller.MaySeeAll() || happened.Principal == caller.Subject(), time, cancellationToken)))
        .RequireAuthorization(Callers.Anyone).WithTags("events");
}
