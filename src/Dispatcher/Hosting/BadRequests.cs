using System.Text.Json;
using Dispatcher.Contracts;
using Microsoft.AspNetCore.Diagnostics;

namespace Dispatcher.Hosting;

/// <summary>Says what is wrong with a request that the framework could not read, in the same form as every other error.</summary>
internal sealed class BadRequests : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is not BadHttpRequestException bad)
        {
            return false;
        }

        var json = bad.InnerException as JsonException;
        var error = new InputError
        {
            Code = "unreadable",
            Where = json?.Path is { Length: > 1 } path ? path.Replace('.', '/').TrimStart('$') : "body",
            Message = json?.Message ?? bad.Message,
            Fix = "Send JSON as /openapi/v1.json describes it, with Content-Type: application/json.",
        };
        await Problems.Malformed([error]).ExecuteAsync(httpContext);
        return true;
    }
}
