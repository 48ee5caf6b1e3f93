using Dispatcher.Base;
using Microsoft.AspNetCore.Diagnostics;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Web;

/// <summary>Says what is wrong with a request that the framework could not read, that store or broker are away, and what the broker refuses, in the same form as every other error.</summary>
internal sealed class RequestFaults : IExceptionHandler
{
    /// <summary>The body of an answer that routing gave without one.</summary>
    public static async Task PageAsync(StatusCodeContext bare)
    {
        var http = bare.HttpContext;
        var error = http.Response.StatusCode switch
        {
            StatusCodes.Status413PayloadTooLarge => UnreadableRequest.OfSize(http),
            StatusCodes.Status415UnsupportedMediaType => UnreadableRequest.OfType(http),
            _ => null,
        };
        if (error is not null)
        {
            await Problems.NotTaken(http.Response.StatusCode, error).ExecuteAsync(http);
            return;
        }

        await http
            .RequestServices.GetRequiredService<IProblemDetailsService>()
            .TryWriteAsync(new ProblemDetailsContext { HttpContext = http, ProblemDetails = { Status = http.Response.StatusCode } });
    }

    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var answer =
            exception is BadHttpRequestException bad ? Problems.Malformed([UnreadableRequest.Error(bad, httpContext)])
            : exception is ExitException refused ? Problems.Conflict($"{refused.Message} {refused.Fix}")
            : exception is BrokerUnreachableException or OperationInterruptedException
                ? Problems.NotReady("The broker cannot be reached now; try again.")
            : exception.IsStoreUnavailable() || exception is TimeoutException
                ? Problems.NotWritten("The database cannot be used now, and nothing was taken or changed. Send the request again.")
            : null;
        if (answer is null)
        {
            return false;
        }

        await answer.ExecuteAsync(httpContext);
        return true;
    }
}
