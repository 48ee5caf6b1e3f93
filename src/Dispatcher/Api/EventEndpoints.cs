using System.Security.Claims;
using Dispatcher.Base;
using Dispatcher.Outbox;
using Dispatcher.Web;

namespace Dispatcher.Api;

/// <summary>
/// <c>GET /api/events</c>: server-sent events of all servers. A producer gets those of its own jobs. A stream ends when its key is
/// revoked, when the server stops, when the reader is too slow, or when the broker is lost; a client connects again and asks the API for
/// what it missed.
/// </summary>
internal static class EventEndpoints
{
    /// <summary>A revoked key's stream ends within this time.</summary>
    private static readonly TimeSpan CheckEvery = TimeSpan.FromSeconds(2);

    /// <summary>A comment is sent after this time without an event, so that both sides notice a dead connection.</summary>
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LongestWrite = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LongestFarewell = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestConnect = TimeSpan.FromSeconds(10);

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
        using var listener = events.Listen(caller.KeyId(), happened => caller.MaySeeAll() || happened.Principal == caller.Subject());
        if (listener is null)
        {
            await Problems.WriteAsync(
                http,
                StatusCodes.Status429TooManyRequests,
                "Too many event streams",
                $"A key may have {EventStream.MaxOfKey} at once. Close one, or read the exchange dispatcher.events."
            );
            return;
        }

        try
        {
            if (!await ConnectedAsync(events, ends.Token))
            {
                await Problems.NotReady("Events cannot be had now: the broker cannot be reached.").ExecuteAsync(http);
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
            // The reader has gone or is stuck. What is still buffered is not worth waiting for.
            http.Abort();
        }
        catch (Exception away) when (away.IsStoreUnavailable())
        {
            // It is unknown whether the key is still valid.
            http.Abort();
        }
    }

    /// <summary>In order, unless the reader is stuck: the stop must not wait for it.</summary>
    private static async Task EndAsync(HttpContext http, TimeProvider time)
    {
        try
        {
            await http.Response.CompleteAsync().WaitAsync(LongestFarewell, time, CancellationToken.None);
        }
        catch (Exception stuck) when (stuck is TimeoutException or OperationCanceledException)
        {
            http.Abort();
        }
    }

    private static async Task<bool> ConnectedAsync(EventStream events, CancellationToken cancellationToken)
    {
        try
        {
            await events.ConnectedAsync(cancellationToken).WaitAsync(LongestConnect, cancellationToken);
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

                if (listener.Events.TryRead(out var happened))
                {
                    await SendAsync(http, $"id: {happened.EventId}\nevent: {happened.Name}\ndata: {happened.Data}\n\n", cancellationToken);
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

    /// <summary>A reader that takes nothing for longer than <see cref="LongestWrite"/> is cut off.</summary>
    private static async Task SendAsync(HttpContext http, string text, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(LongestWrite);
        await http.Response.WriteAsync(text, limit.Token);
        await http.Response.Body.FlushAsync(limit.Token);
    }
}
