using Dispatcher.Contracts;
using Dispatcher.Policies.Files;

namespace Dispatcher.Web;

/// <summary>Errors over HTTP: problem+json (RFC 9457), with every error of an input under <c>errors</c>.</summary>
internal static class Problems
{
    public static IResult Malformed(IReadOnlyList<InputError> errors) =>
        Results.Problem(
            title: "The request is malformed",
            detail: $"{errors.Count} error(s); each says where and how to fix it.",
            statusCode: StatusCodes.Status400BadRequest,
            extensions: Errors(errors)
        );

    /// <summary>With the status that the framework gave.</summary>
    public static IResult NotTaken(int status, InputError error) =>
        Results.Problem(title: "The request is not taken", detail: error.Message, statusCode: status, extensions: Errors([error]));

    public static IResult Conflict(IReadOnlyList<InputError> errors) =>
        Results.Problem(
            title: "The id or key stands for another job",
            detail: errors[0].Message,
            statusCode: StatusCodes.Status409Conflict,
            extensions: Errors(errors)
        );

    public static IResult Conflict(string detail) =>
        Results.Problem(title: "Not in this state", detail: detail, statusCode: StatusCodes.Status409Conflict);

    public static IResult Unloadable(string hash, IReadOnlyList<BundleError> errors) =>
        Results.Problem(
            title: "This version cannot load the bundle",
            detail: $"Bundle {hash} stays out of force: {errors.Count} error(s).",
            statusCode: StatusCodes.Status409Conflict,
            extensions: Errors(errors)
        );

    public static IResult NotFound(string detail) =>
        Results.Problem(title: "Not found", detail: detail, statusCode: StatusCodes.Status404NotFound);

    public static IResult NotReady(string detail) => new Unavailable(detail, []);

    /// <summary>The store takes no writes, and certainly took nothing of this request.</summary>
    public static IResult NotWritten(string detail) => new Unavailable(detail, new() { ["taken"] = "no" });

    /// <summary>The store may have taken the request.</summary>
    public static IResult MaybeWritten(string detail, Guid? jobId = null) =>
        new Unavailable(detail, jobId is { } id ? new() { ["taken"] = "unknown", ["job_id"] = id } : new() { ["taken"] = "unknown" });

    public static Task WriteAsync(HttpContext context, int status, string title, string detail) =>
        Results.Problem(title: title, detail: detail, statusCode: status).ExecuteAsync(context);

    private static Dictionary<string, object?> Errors<T>(IReadOnlyList<T> errors) => new() { ["errors"] = errors };

    /// <summary>503 with <c>Retry-After</c>.</summary>
    private sealed class Unavailable(string detail, Dictionary<string, object?> extensions) : IResult
    {
        private const string RetryAfterSeconds = "5";

        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.RetryAfter = RetryAfterSeconds;
            return Results
                .Problem(title: "Not ready", detail: detail, statusCode: StatusCodes.Status503ServiceUnavailable, extensions: extensions)
                .ExecuteAsync(httpContext);
        }
    }
}

/// <summary>One page of a list; <see cref="Next"/> goes into <c>cursor</c> of the next request, null on the last page.</summary>
internal sealed record Page<T>(IReadOnlyList<T> Items, string? Next);
