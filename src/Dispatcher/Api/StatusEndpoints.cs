using System.Security.Claims;
using Dispatcher.Web;

namespace Dispatcher.Api;

/// <summary>
/// <c>/health/live</c> and <c>/health/ready</c> without a key, <c>/api/status</c> with one. Only operators and admins see the full texts.
/// </summary>
internal static class StatusEndpoints
{
    public static readonly string Version = typeof(StatusEndpoints).Assembly.GetName().Version!.ToString(3);

    public static void MapStatus(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/health/live", () => Results.Ok(new { status = "live" })).WithTags("health");
        routes
            .MapGet(
                "/health/ready",
                (Readiness readiness) =>
                    Results.Json(
                        new { ready = readiness.IsReady, checks = readiness.ShortChecks },
                        statusCode: readiness.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable
                    )
            )
            .WithTags("health");
        routes.MapGet("/api/status", StatusAsync).RequireAuthorization(Callers.Anyone).WithTags("status").Produces<StatusView>();
    }

    private static async Task<IResult> StatusAsync(HttpContext http, ClaimsPrincipal caller, StatusReads reads)
    {
        var isFull = caller.IsInRole(Role.Operator) || caller.IsInRole(Role.Admin);
        using var limit = StoreTimeouts.Begin(http);
        try
        {
            return Results.Ok(await reads.ReadAsync(isFull, limit.Token));
        }
        catch (Exception fault) when (fault.IsOfStore(http))
        {
            // An operator needs the other fields just during an outage.
            return Results.Ok(reads.WithoutStore(isFull));
        }
    }
}
