using Dispatcher.CommandLine;
using Dispatcher.Storing;
using Microsoft.AspNetCore.Diagnostics;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.Hosting;

/// <summary>Says what is wrong with a request that the framework could not read, that store or broker are away, and what the broker refuses, in the same form as every other error.</summary>
internal sealed class RequestFaults : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        var answer = exception is BadHttpRequestException bad ? Problems.Malformed([UnreadableRequest.Error(bad, httpContext)])
            : exception is VerbFailedException refused ? Problems.Conflict($"{refused.Message} {refused.Fix}")
            : exception is BrokerUnreachableException or OperationInterruptedException ? Problems.NotReady("The broker cannot be reached now; try again.")
            : exception.IsStoreAway() || exception is TimeoutException
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
