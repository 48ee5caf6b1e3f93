using System.Security.Claims;
using Dispatcher.Contracts;
using Dispatcher.Hosting;
using Dispatcher.Keys;
using Dispatcher.Storing;

namespace Dispatcher.Attempts;

/// <summary>What workers call: claims and heartbeats.</summary>
internal static class AttemptEndpoints
{
    private const int MostPermits = 256;
    private const int MostRuns = 1_000;
    private const int LongestWorker = 128;

    public static void MapAttempts(this IEndpointRouteBuilder routes)
    {
        var attempts = routes.MapGroup("/api/attempts").RequireAuthorization(Callers.Workers).WithTags("attempts");
        attempts.MapPost("/claim", ClaimAsync).Produces<ClaimAnswer>();
        attempts.MapPost("/heartbeat", BeatAsync).Produces<HeartbeatAnswer>();
    }

    private static async Task<IResult> ClaimAsync(ClaimRequest request, ClaimsPrincipal caller, AttemptClaims claims, CancellationToken cancellationToken)
    {
        var errors = Check(request.Worker, "/permits", request.Permits, MostPermits);
        return errors.Count > 0 ? Problems.Malformed(errors) : Results.Ok(await claims.ClaimAsync(request, caller.Subject(), caller.Serves, cancellationToken));
    }

    private static async Task<IResult> BeatAsync(HeartbeatRequest request, ClaimsPrincipal caller, IStore store, CancellationToken cancellationToken)
    {
        var errors = Check(request.Worker, "/runs", request.Runs, MostRuns);
        return errors.Count > 0 ? Problems.Malformed(errors) : Results.Ok(await Heartbeats.BeatAsync(store, request, caller.Subject(), cancellationToken));
    }

    private static List<InputError> Check(string worker, string where, IReadOnlyList<object?> items, int most)
    {
        var errors = new List<InputError>();
        if (worker.Length is 0 or > LongestWorker || worker.Contains('\0', StringComparison.Ordinal))
        {
            errors.Add(new InputError { Code = "bad_worker", Where = "/worker", Message = $"{worker.Length} characters; allowed are 1 to {LongestWorker}, none of them U+0000.", Fix = "For example \"host-17/4711\"." });
        }

        if (items.Count == 0 || items.Count > most)
        {
            errors.Add(new InputError { Code = "bad_count", Where = where, Message = $"{items.Count} given; allowed are 1 to {most}.", Fix = "Split the request." });
        }

        if (items.Contains(null))
        {
            errors.Add(new InputError { Code = "null_item", Where = where, Message = "One of them is null.", Fix = "Leave it out." });
        }

        return errors;
    }
}

/// <summary>Extends the leases of live runs and says which must stop.</summary>
internal static class Heartbeats
{
    public static async Task<HeartbeatAnswer> BeatAsync(IStore store, HeartbeatRequest request, string subject, CancellationToken cancellationToken)
    {
        var live = await store.BeatAsync([.. request.Runs.DistinctBy(run => run.RunId)], subject, cancellationToken);
        var alive = live.Select(run => run.RunId).ToHashSet();
        return new HeartbeatAnswer
        {
            Cancelled = [.. live.Where(run => run.CancelRequested).Select(run => run.RunId)],
            Fenced = [.. request.Runs.Select(run => run.RunId).Where(run => !alive.Contains(run)).Distinct()],
        };
    }
}
