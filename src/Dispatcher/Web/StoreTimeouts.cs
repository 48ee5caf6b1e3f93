using Dispatcher.Base;

namespace Dispatcher.Web;

/// <summary>
/// Limits how long a writing request waits for the store. After the limit the caller gets 503, and the answer states whether the request
/// was written: no, or unknown. A commit that has not begun is withdrawn; a running commit is cancelled.
/// </summary>
internal static class StoreTimeouts
{
    /// <summary>The limit from the check of the key to the answer.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromSeconds(5);

    /// <summary>After this time the commit is cancelled; the rest of the limit is for reading its result.</summary>
    private static readonly TimeSpan CancelCommitAfter = Max - TimeSpan.FromSeconds(0.75);

    private static readonly object AuthenticationTime = new();

    /// <summary>A token that is cancelled when the caller disconnects or the limit is reached.</summary>
    public static CancellationTokenSource Begin(HttpContext http)
    {
        var elapsed = http.Items[AuthenticationTime] as TimeSpan? ?? TimeSpan.Zero;
        var limit = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        limit.CancelAfter(elapsed < CancelCommitAfter ? CancelCommitAfter - elapsed : TimeSpan.Zero);
        return limit;
    }

    /// <summary>Looks up a key, within the same limit.</summary>
    /// <exception cref="TimeoutException">The store did not answer in time; the request was not written.</exception>
    public static async Task<T> AuthenticateAsync<T>(HttpContext http, TimeProvider time, Func<CancellationToken, ValueTask<T>> find)
    {
        var began = time.GetTimestamp();
        using var limit = Begin(http);
        try
        {
            // The driver ignores the token while it opens a connection to a frozen server.
            return await find(limit.Token).AsTask().WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw new TimeoutException("The store did not answer the lookup of the API key in time.");
        }
        finally
        {
            http.Items[AuthenticationTime] = time.GetElapsedTime(began);
        }
    }

    /// <summary>True: the store failed, and neither the request nor its caller is the cause.</summary>
    public static bool IsOfStore(this Exception fault, HttpContext http) =>
        fault.IsStoreUnavailable() || (fault is OperationCanceledException && !http.RequestAborted.IsCancellationRequested);

    /// <summary>Limits the wait of an endpoint that writes; its handler takes a <see cref="CancellationToken"/>.</summary>
    public static RouteHandlerBuilder WithStoreTimeout(this RouteHandlerBuilder endpoint) =>
        endpoint
            .AddEndpointFilter(HandleAsync)
            .WithMetadata(StoreTimeout.Instance)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private static async ValueTask<object?> HandleAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        using var limit = Begin(context.HttpContext);
        for (var i = 0; i < context.Arguments.Count; i++)
        {
            context.Arguments[i] = context.Arguments[i] is CancellationToken ? limit.Token : context.Arguments[i];
        }

        try
        {
            return await next(context);
        }
        catch (AbandonedCommitException abandoned)
            when (!abandoned.MayBeCommitted && !context.HttpContext.RequestAborted.IsCancellationRequested)
        {
            return Problems.NotWritten("The database is unavailable, and nothing was changed. Send the request again later.");
        }
        catch (Exception fault) when (fault.IsOfStore(context.HttpContext))
        {
            return Problems.MaybeWritten(
                "The database did not answer, so that it is unknown whether the change was made. Check before you send the request again."
            );
        }
    }
}

/// <summary>Marks an endpoint whose wait for the store is limited.</summary>
internal sealed class StoreTimeout
{
    public static readonly StoreTimeout Instance = new();
}
