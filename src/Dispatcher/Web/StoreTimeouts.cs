using Dispatcher.Base;

namespace Dispatcher.Web;

/// <summary>
/// Limits how long a writing request waits for the store. Its caller gets 503 in time, and learns whether anything was written: a commit that has not
/// begun is withdrawn, one that is under way is cancelled, and where neither is certain the answer says so.
/// </summary>
internal static class StoreTimeouts
{
    /// <summary>What a caller waits at most, from the look at its key to the answer.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    /// <summary>After this time the commit is given up; the rest is for learning what became of it.</summary>
    private static readonly TimeSpan GiveUpAfter = Longest - TimeSpan.FromSeconds(0.75);

    private static readonly object AuthenticationTime = new();

    /// <summary>A token that is cancelled when the caller has gone or has waited long enough.</summary>
    public static CancellationTokenSource Begin(HttpContext http)
    {
        var spent = http.Items[AuthenticationTime] as TimeSpan? ?? TimeSpan.Zero;
        var limit = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        limit.CancelAfter(spent < GiveUpAfter ? GiveUpAfter - spent : TimeSpan.Zero);
        return limit;
    }

    /// <summary>Looks up a key, within the same limit.</summary>
    /// <exception cref="TimeoutException">The store did not answer in time. Nothing was written.</exception>
    public static async Task<T> AuthenticateAsync<T>(HttpContext http, TimeProvider time, Func<CancellationToken, ValueTask<T>> find)
    {
        var began = time.GetTimestamp();
        using var limit = Begin(http);
        try
        {
            // A connection to a frozen server is not opened sooner for a token that is cancelled.
            return await find(limit.Token).AsTask().WaitAsync(limit.Token);
        }
        catch (OperationCanceledException) when (!http.RequestAborted.IsCancellationRequested)
        {
            throw new TimeoutException("The store did not say in time whose key this is.");
        }
        finally
        {
            http.Items[AuthenticationTime] = time.GetElapsedTime(began);
        }
    }

    /// <summary>True when the store, not the request or its caller, is why it could not be done.</summary>
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
        catch (AbandonedCommitException given) when (!given.MayBeCommitted && !context.HttpContext.RequestAborted.IsCancellationRequested)
        {
            return Problems.NotWritten("Nothing was changed: the database does not take writes now. Send the request again.");
        }
        catch (Exception fault) when (fault.IsOfStore(context.HttpContext))
        {
            return Problems.MaybeWritten(
                "It is unknown whether the change was made: the database did not answer. Look at it before you send the request again."
            );
        }
    }
}

/// <summary>Marks an endpoint whose wait for the store is limited.</summary>
internal sealed class StoreTimeout
{
    public static readonly StoreTimeout Instance = new();
}
