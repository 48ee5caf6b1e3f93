using Dispatcher.Base;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Diagnostics;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Web;

/// <summary>
/// Answers requests that ended with an exception, as problem+json: a request that the framework could not read, and a store or broker that
/// is unavailable.
/// </summary>
internal sealed class ProblemExceptionHandler : IExceptionHandler
{
    /// <summary>Writes the body of an error that routing answered without one.</summary>
    public static async Task PageAsync(StatusCodeContext bare)
    {
        var http = bare.HttpContext;
        var error = http.Response.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => BindingErrors.OfSize(http),
            StatusCodes.Status415UnsupportedMediaType => BindingErrors.OfType(http),
            _ => null,
        };
        if (error is not null)
        {
            await Problems.Refused(http.Response.StatusCode, error).ExecuteAsync(http);
            return;
        }

        await http
            .RequestServices.GetRequiredService<IProblemDetailsService>()
            .TryWriteAsync(
                new ProblemDetailsContext
                {
                    HttpContext = http,
                    ProblemDetails = { Status = http.Response.StatusCode, Detail = DetailOf(http) },
                }
            );
    }

    /// <summary>Only for what no endpoint answered: a path that none has, or a method that its endpoint does not take.</summary>
    private static string? DetailOf(HttpContext http) =>
        http.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound =>
                "There is no such path, or an id in it has the wrong form (the id of a job is a UUID). /openapi/v1.json has all paths.",
            StatusCodes.Status405MethodNotAllowed =>
                $"The path does not take {http.Request.Method}; allowed: {http.Response.Headers.Allow}.",
            _ => null,
        };

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        // The server aborted the connection at its stop. No answer can be sent, and the fault is not logged.
        if (exception.GetBaseException() is ConnectionAbortedException)
        {
            return true;
        }

        var answer =
            exception is BadHttpRequestException bad ? Problems.Malformed([BindingErrors.Error(bad, httpContext)])
            : exception is ExitException refused ? Problems.Conflict($"{refused.Message} {refused.Fix}")
            : exception is BrokerUnreachableException or OperationInterruptedException
                ? Problems.NotReady("The broker is unavailable. Send the request again later.")
            : exception.IsStoreUnavailable() || exception is TimeoutException
                ? Problems.NotWritten("The database is unavailable, and nothing was written. Send the request again later.")
            : null;
        if (answer is null)
        {
            return false;
        }

        await answer.ExecuteAsync(httpContext);
        return true;
    }
}
