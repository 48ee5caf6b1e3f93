using System.Security.Claims;
using System.Text.Json.Serialization;
using System.Text.RegularExpressions;
using Dispatcher.Contracts;
using Dispatcher.Health;
using Dispatcher.Hosting;
using Dispatcher.Intake;
using Dispatcher.Keys;
using Dispatcher.Policies;
using Dispatcher.Processes;
using Dispatcher.Storing;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Judging;

/// <summary>The body of <c>POST /api/policies/activate</c>.</summary>
internal sealed record ActivateRequest
{
    /// <summary>The hash of a kept bundle, 64 lower-case hex digits, or its first digits, at least 8.</summary>
    [JsonPropertyName("hash")]
    public required string Hash { get; init; }
}

/// <summary><c>/api/policies</c>: what is in force, for whoever may see every job; pin and unpin, for admins.</summary>
internal static partial class PolicyEndpoints
{
    private const int MostBundles = 50;

    public static void MapPolicies(this IEndpointRouteBuilder routes)
    {
        var policies = routes.MapGroup("/api/policies").WithTags("policies");
        policies.MapGet("", ShowAsync).RequireAuthorization(Callers.Overseers).Produces<PoliciesView>();
        policies.MapPost("/activate", ActivateAsync).RequireAuthorization(Callers.Admins).Produces<InForceView>()
            .ProducesProblem(StatusCodes.Status400BadRequest).ProducesProblem(StatusCodes.Status404NotFound).ProducesProblem(StatusCodes.Status409Conflict);
        policies.MapPost("/unpin", UnpinAsync).RequireAuthorization(Callers.Admins).Produces<UnpinAnswer>().ProducesProblem(StatusCodes.Status409Conflict);
    }

    private static async Task<IResult> ShowAsync(PolicyFolder folder, ProcessRegister processes, IDbContextFactory<DispatcherDb> database, CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var inForce = await db.ActiveBundle.AsNoTracking().SingleOrDefaultAsync(cancellationToken);
        var bundles = await db.Bundles.OrderByDescending(bundle => bundle.FirstActivatedAt).ThenBy(bundle => bundle.Hash).Take(MostBundles)
            .Select(bundle => new { bundle.Hash, bundle.FirstActivatedAt }).ToListAsync(cancellationToken);
        return Results.Ok(new PoliciesView(
            inForce is null ? null : InForceView.Of(inForce),
            FolderView.Of(folder),
            await processes.ListAsync(cancellationToken),
            bundles.ConvertAll(bundle => new KeptBundleView(bundle.Hash, Timestamps.At(bundle.FirstActivatedAt)))));
    }

    private static async Task<IResult> ActivateAsync(
        ActivateRequest request, ClaimsPrincipal caller, BundleActivation activation, DispatcherMetrics metrics, IDbContextFactory<DispatcherDb> database, CancellationToken cancellationToken)
    {
        var errors = new List<InputError>();
        if (!HashOrPrefix().IsMatch(request.Hash))
        {
            errors.Report("bad_hash", "/hash", $"\"{InputErrors.Cut(request.Hash)}\" is no hash of a bundle.", "Send 8 to 64 lower-case hex digits; GET /api/policies lists the bundles.");
            return Problems.Malformed(errors);
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var kept = await db.Bundles.AsNoTracking().Where(bundle => bundle.Hash.StartsWith(request.Hash)).Take(2).ToListAsync(cancellationToken);
        if (kept is not [var one])
        {
            return kept.Count == 0
                ? Problems.NotFound($"No bundle that is kept here has a hash that begins with {request.Hash}; GET /api/policies lists them.")
                : Problems.Conflict($"More than one bundle begins with {request.Hash}, for example {kept[0].Hash} and {kept[1].Hash}: send more digits.");
        }

        var load = Bundle.FromArchive(one.Archive);
        if (load.Bundle is null)
        {
            metrics.Refused();
            return Problems.Unloadable(one.Hash, load.Errors);
        }

        await activation.PinAsync(load.Bundle, caller.Subject(), cancellationToken);
        return Results.Ok(await InForceAsync(db, cancellationToken));
    }

    private static async Task<IResult> UnpinAsync(ClaimsPrincipal caller, PolicyFolder folder, IDbContextFactory<DispatcherDb> database, CancellationToken cancellationToken)
    {
        if (await folder.UnpinAsync(caller.Subject(), cancellationToken) is not { } unpinned)
        {
            return Problems.Conflict("No bundle is pinned: what is in force follows the policy folders.");
        }

        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return Results.Ok(new UnpinAnswer(await InForceAsync(db, cancellationToken), unpinned.Archive is not null, FolderView.Of(folder)));
    }

    private static async Task<InForceView> InForceAsync(DispatcherDb db, CancellationToken cancellationToken) =>
        InForceView.Of(await db.ActiveBundle.AsNoTracking().SingleAsync(cancellationToken));

    [GeneratedRegex(@"^[0-9a-f]{8,64}\z")]
    private static partial Regex HashOrPrefix();
}
