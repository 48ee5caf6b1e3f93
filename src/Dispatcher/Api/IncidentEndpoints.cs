using Dispatcher.Dispatching;
using Dispatcher.Web;

namespace Dispatcher.Api;

/// <summary><c>/api/incidents/{id}</c>, for operators: the figures for messages about an incident.</summary>
internal static class IncidentEndpoints
{
    public static void MapIncidents(this IEndpointRouteBuilder routes) =>
        routes
            .MapGroup("/api/incidents")
            .RequireAuthorization(Callers.Operators)
            .WithTags("incidents")
            .MapGet("/{id:guid}", ShowAsync)
            .Produces<IncidentView>()
            .ProducesProblem(StatusCodes.Status404NotFound);

    private static async Task<IResult> ShowAsync(
        Guid id,
        IncidentFigures figures,
        PoolMonitor pools,
        CancellationToken cancellationToken
    ) =>
        await figures.ReadAsync(id, cancellationToken) is { } incident
            ? Results.Ok(incident.With(await pools.ReadAsync(cancellationToken)))
            : Problems.NotFound($"{id} is the id of no job, no dead letter and no freeze.");
}
