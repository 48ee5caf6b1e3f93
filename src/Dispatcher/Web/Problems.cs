using Dispatcher.Contracts;
using Dispatcher.Policies.Files;

namespace Dispatcher.Web;

/// <summary>Error answers: problem+json (RFC 9457), with every error of an input under <c>errors</c>.</summary>
internal static class Problems
{
    public static IResult Malformed(IReadOnlyList<InputError> errors) =>
        Results.Problem(
            title: "The request is malformed",
            detail: $"{errors.Count} error(s); each names its place and its fix.",
            statusCode: StatusCodes.Status400BadRequest,
            extensions: Errors(errors)
        );

    /// <summary>With a status that the framework chose.</summary>
    public static IResult Refused(int status, InputError error) =>
        Results.Problem(title: "The request is refused", detail: error.Message, statusCode: status, extensions: Errors([error]));

    public static IResult Conflict(IReadOnlyList<InputError> errors) =>
        Results.Problem(
            title: "The id or key belongs to another job",
            detail: errors[0].Message,
            statusCode: StatusCodes.Status409Conflict,
            extensions: Errors(errors)
        );

    public static IResult Conflict(string detail) =>
        Results.Problem(title: "The current state does not allow the request", detail: detail, statusCode: StatusCodes.Status409Conflict);

    public static IResult Unloadable(string hash, IReadOnlyList<BundleError> errors) =>
        Results.Problem(
            title: "This version cannot load the bundle",
            detail: $"Bundle {hash} was not put in force: {errors.Count} error(s).",
            statusCode: StatusCodes.Status409Conflict,
            extensions: Errors(errors)
        );

    public static IResult NotFound(string detail) =>
        Results.Problem(title: "Not found", detail: detail, statusCode: StatusCodes.Status404NotFound);

    public static IResult NotReady(string detail) => new Unavailable(detail, []);

    /// <summary>The store is unavailable, and no part of this request was written.</summary>
    public static IResult NotWritten(string detail) => new Unavailable(detail, new() { ["taken"] = "no" });

    /// <summary>The store is unavailable, and the request may have been written.</summary>
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

/// <summary>One page of a list. <see cref="Next"/> is the <c>cursor</c> of the next request; null on the last page.</summary>
internal sealed record Page<T>(IReadOnlyList<T> Items, string? Next);
