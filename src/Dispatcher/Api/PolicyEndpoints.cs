using System.Security.Claims;
using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>The body of <c>POST /api/policies/activate</c>.</summary>
internal sealed record ActivateRequest
{
    /// <summary>The hash of a stored bundle (64 lower-case hex digits), its first digits (at least 8), or <c>active</c>.</summary>
    [JsonPropertyName("hash")]
    public required string Hash { get; init; }
}

/// <summary><c>/api/policies</c>: the bundle in force, for the roles that may see every job; pin and unpin, for admins.</summary>
internal static class PolicyEndpoints
{
    private const int MaxBundles = 50;

    public static void MapPolicies(this IEndpointRouteBuilder routes)
    {
        var policies = routes.MapGroup("/api/policies").WithTags("policies");
        policies.MapGet("", ShowAsync).RequireAuthorization(Callers.Overseers).Produces<PoliciesView>();
        policies
            .MapPost("/activate", ActivateAsync)
            .RequireAuthorization(Callers.Admins)
            .Produces<InForceView>()
            .ProducesProblem(StatusCodes.Status400BadRequest)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .WithStoreTimeout();
        policies
            .MapPost("/unpin", UnpinAsync)
            .RequireAuthorization(Callers.Admins)
            .Produces<UnpinAnswer>()
            .ProducesProblem(StatusCodes.Status409Conflict)
            .WithStoreTimeout();
    }

    /// <summary>When the timeline contradicts the stored row, no bundle is in force; readiness states the reason.</summary>
    private static async Task<IResult> ShowAsync(
        PolicyFolder folder,
        CurrentBundle current,
        ProcessRegister processes,
        IServiceProvider services,
        IDbContextFactory<DispatcherDb> database,
        CancellationToken cancellationToken
    )
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var inForce = await db.ActiveBundle.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        var bundles = await db
            .Bundles.OrderByDescending(bundle => bundle.FirstActivatedAt)
            .ThenBy(bundle => bundle.Hash)
            .Take(MaxBundles)
            .Select(bundle => new { bundle.Hash, bundle.FirstActivatedAt })
            .ToListAsync(cancellationToken);
        return Results.Ok(
            new PoliciesView(
                inForce is null || current.InForce.Trouble is not null ? null : InForceView.Of(inForce),
                FolderView.Of(folder),
                await processes.ListAsync(cancellationToken),
                bundles.ConvertAll(bundle => new KeptBundleView(bundle.Hash, Timestamps.At(bundle.FirstActivatedAt)))
            )
            {
                // The embedded server has no broker.
                PoolsWithoutQueue = services.GetService<RabbitTopology>()?.PoolsWithoutQueue ?? [],
            }
        );
    }

    private static async Task<IResult> ActivateAsync(
        ActivateRequest request,
        ClaimsPrincipal caller,
        StoredBundles kept,
        BundleActivation activation,
        DispatcherMetrics metrics,
        IDbContextFactory<DispatcherDb> database,
        CancellationToken cancellationToken
    )
    {
        var found = await kept.FindAsync(request.Hash, "/hash", cancellationToken);
        if (found.Bundle is null)
        {
            if (found.IsUnloadable)
            {
                metrics.Refused();
            }

            return found.Problem!;
        }

        await activation.PinAsync(found.Bundle, caller.Subject(), cancellationToken);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return Results.Ok(await InForceAsync(db, cancellationToken));
    }

    private static async Task<IResult> UnpinAsync(
        ClaimsPrincipal caller,
        PolicyFolder folder,
        IDbContextFactory<DispatcherDb> database,
        CancellationToken cancellationToken
    )
    {
        if (await folder.UnpinAsync(caller.Subject(), cancellationToken) is not { } unpinned)
        {
            return Problems.Conflict("No bundle is pinned; the bundle in force already follows the policy folders.");
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return Results.Ok(new UnpinAnswer(await InForceAsync(db, cancellationToken), unpinned.Archive is not null, FolderView.Of(folder)));
    }

    private static async Task<InForceView> InForceAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        InForceView.Of(await db.ActiveBundle.AsNoTracking().SingleAsync(cancellationToken));
}
