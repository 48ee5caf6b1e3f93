using System.Security.Claims;
using Dispatcher.Base;
using Dispatcher.Outbox;
using Dispatcher.Web;

namespace Dispatcher.Api;

/// <summary>
/// <c>GET /api/events</c>: server-sent events of all servers. A producer receives the events of its own jobs. A stream ends when its key is
/// revoked, the server stops, the reader is too slow, or the broker is lost. The client then reconnects and reads from the API the
/// changes that it missed.
/// </summary>
internal static class EventEndpoints
{
    /// <summary>A revoked key's stream ends within this time.</summary>
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(2);

    /// <summary>After this time without an event a comment is sent, so that both sides detect a dead connection.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan MaxWrite = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MaxClose = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxConnect = TimeSpan.FromSeconds(10);

    public static void MapEvents(this IEndpointRouteBuilder routes) =>
        routes
            .MapGet("/api/events", ListenAsync)
            .RequireAuthorization(Callers.Anyone)
            .WithTags("events")
            .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

    private static async Task ListenAsync(
        HttpContext http,
        ClaimsPrincipal caller,
        EventStream events,
        ApiKeys keys,
        IHostApplicationLifetime lifetime,
        TimeProvider time
    )
    {
        using var ends = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, lifetime.ApplicationStopping);
        using var listener = events.Listen(caller.KeyId(), received => caller.MaySeeAll() || received.Principal == caller.Subject());
        if (listener is null)
        {
            await Problems.WriteAsync(
                http,
                StatusCodes.Status429TooManyRequests,
                "Too many event streams",
                $"A key may have {EventStream.MaxOfKey} open event streams. Close one, or consume from the exchange dispatcher.events."
            );
            return;
        }

        try
        {
            if (!await ConnectedAsync(events, ends.Token))
            {
                await Problems
                    .NotReady("Events are unavailable, because the server has no connection to the broker. Connect again later.")
                    .ExecuteAsync(http);
                return;
            }

            http.Response.ContentType = "text/event-stream";
            http.Response.Headers.CacheControl = "no-cache";
            await SendAsync(http, ": listening\n\n", ends.Token);
            await StreamAsync(http, listener, () => keys.IsAliveAsync(listener.KeyId, ends.Token), time, ends.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await EndAsync(http, time);
        }
        catch (OperationCanceledException)
        {
            // The reader disconnected or is stuck: drop the events that are still buffered.
            http.Abort();
        }
        catch (Exception fault) when (fault.IsStoreUnavailable())
        {
            // Without the store the key cannot be checked.
            http.Abort();
        }
    }

    /// <summary>Completes the response, or aborts it when the reader is stuck: the stop of the server must not wait.</summary>
    private static async Task EndAsync(HttpContext http, TimeProvider time)
    {
        try
        {
            await http.Response.CompleteAsync().WaitAsync(MaxClose, time, CancellationToken.None);
        }
        catch (Exception fault) when (fault is TimeoutException or OperationCanceledException)
        {
            http.Abort();
        }
    }

    private static async Task<bool> ConnectedAsync(EventStream events, CancellationToken cancellationToken)
    {
        try
        {
            await events.ConnectedAsync(cancellationToken).WaitAsync(MaxConnect, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private static async Task StreamAsync(
        HttpContext http,
        EventListener listener,
        Func<Task<bool>> isKeyAlive,
        TimeProvider time,
        CancellationToken cancellationToken
    )
    {
        var (sentAt, checkAgain) = (time.GetTimestamp(), Task.Delay(CheckEvery, time, cancellationToken));
        var waiting = listener.Events.WaitToReadAsync(cancellationToken).AsTask();
        while (true)
        {
            await Task.WhenAny(waiting, checkAgain);
            if (checkAgain.IsCompleted)
            {
                if (!await isKeyAlive())
                {
                    return;
                }

                checkAgain = Task.Delay(CheckEvery, time, cancellationToken);
            }

            if (waiting.IsCompleted)
            {
                if (!await waiting)
                {
                    return;
                }

                if (listener.Events.TryRead(out var received))
                {
                    await SendAsync(http, $"id: {received.EventId}\nevent: {received.Name}\ndata: {received.Data}\n\n", cancellationToken);
                    sentAt = time.GetTimestamp();
                }

                waiting = listener.Events.WaitToReadAsync(cancellationToken).AsTask();
            }
            else if (time.GetElapsedTime(sentAt) > Heartbeat)
            {
                await SendAsync(http, ": heartbeat\n\n", cancellationToken);
                sentAt = time.GetTimestamp();
            }
        }
    }

    /// <summary>Cancels the stream when a write takes longer than <see cref="MaxWrite"/>.</summary>
    private static async Task SendAsync(HttpContext http, string text, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MaxWrite);
        await http.Response.WriteAsync(text, limit.Token);
        await http.Response.Body.FlushAsync(limit.Token);
    }
}
