using System.Security.Claims;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Storage;
using Dispatcher.Web;

namespace Dispatcher.Dispatching;

/// <summary>The endpoints for workers: claims and heartbeats.</summary>
internal static class AttemptEndpoints
{
    private const int MaxPermits = 256;
    private const int MaxRuns = 1_000;

    public static void MapAttempts(this IEndpointRouteBuilder routes)
    {
        var attempts = routes.MapGroup("/api/attempts").RequireAuthorization(Callers.Workers).WithTags("attempts");
        attempts.MapPost("/claim", ClaimAsync).Produces<ClaimAnswer>().WithStoreTimeout();
        attempts.MapPost("/heartbeat", ExtendLeasesAsync).Produces<HeartbeatAnswer>().WithStoreTimeout();
    }

    private static async Task<IResult> ClaimAsync(
        ClaimRequest request,
        ClaimsPrincipal caller,
        AttemptClaims claims,
        CancellationToken cancellationToken
    )
    {
        var errors = Check(request.Worker, "/permits", request.Permits, MaxPermits);
        return errors.Count > 0
            ? Problems.Malformed(errors)
            : Results.Ok(await claims.ClaimAsync(request, caller.Subject(), caller.Serves, cancellationToken));
    }

    private static async Task<IResult> ExtendLeasesAsync(
        HeartbeatRequest request,
        ClaimsPrincipal caller,
        LeaseExtension leases,
        CancellationToken cancellationToken
    )
    {
        var errors =
            request.Registration is null || request.Runs.Count > 0
                ? Check(request.Worker, "/runs", request.Runs, MaxRuns)
                : CheckWorker(request.Worker);
        RegistrationCheck.Run(request.Registration, errors);
        if (errors.Count > 0)
        {
            return Problems.Malformed(errors);
        }

        if (request.Registration is { } registration && !caller.Serves(registration.Pool))
        {
            return Results.Problem(
                statusCode: StatusCodes.Status403Forbidden,
                title: "This key may not serve that pool",
                detail: $"Its subject is {caller.Subject()}; it needs the role worker:{registration.Pool}, or worker."
            );
        }

        return await leases.ExtendLeasesAsync(request, caller.Subject(), cancellationToken) is { } answer
            ? Results.Ok(answer)
            : Problems.Conflict(
                $"The key of {caller.Subject()} has {WorkerRegister.MaxInstances} live instances, which is the maximum. "
                    + "Give each worker its own key."
            );
    }

    private static List<InputError> Check(string worker, string where, IReadOnlyList<object?> items, int max)
    {
        var errors = CheckWorker(worker);
        if (items.Count == 0 || items.Count > max)
        {
            errors.Add(
                new InputError
                {
                    Code = "bad_count",
                    Where = where,
                    Message = $"{items.Count} given; allowed are 1 to {max}.",
                    Fix = items.Count == 0 ? "Send at least one." : "Split the request.",
                }
            );
        }

        if (items.Contains(null))
        {
            errors.Add(
                new InputError
                {
                    Code = "null_item",
                    Where = where,
                    Message = "An item is null.",
                    Fix = "Remove the null items.",
                }
            );
        }

        return errors;
    }

    private static List<InputError> CheckWorker(string worker)
    {
        var errors = new List<InputError>();
        if (RegistrationCheck.IsBad(worker))
        {
            errors.Add(
                new InputError
                {
                    Code = "bad_worker",
                    Where = "/worker",
                    Message =
                        $"{worker.Length} characters; allowed are 1 to {RegistrationCheck.MaxText}, "
                        + "without control and formatting characters.",
                    Fix = "For example \"host-17/4711\".",
                }
            );
        }

        return errors;
    }
}

/// <summary>Registers the worker, extends the leases of its live runs, and names the runs that must stop.</summary>
internal sealed class LeaseExtension(IStore store, WorkerRegister workers, StoreClock clock)
{
    /// <summary>Null: the request has only a registration, and it is refused. The leases of runs are extended in any case.</summary>
    public async Task<HeartbeatAnswer?> ExtendLeasesAsync(HeartbeatRequest request, string subject, CancellationToken cancellationToken)
    {
        var missing = request.Registration is { } registration
            ? await workers.NoteAsync(registration, request.Worker, subject, cancellationToken)
            : [];
        if (missing is null && request.Runs.Count == 0)
        {
            return null;
        }

        var live =
            request.Runs.Count == 0
                ? []
                : await store.ExtendLeasesAsync([.. request.Runs.DistinctBy(run => run.RunId)], subject, cancellationToken);
        var alive = live.Select(run => run.RunId).ToHashSet();
        return new HeartbeatAnswer
        {
            Cancelled = [.. live.Where(run => run.CancelRequested).Select(run => run.RunId)],
            MissingEnforcers = missing ?? [],
            Subject = subject,
            Now = Timestamps.At(clock.Now),
            Fenced = [.. request.Runs.Select(run => run.RunId).Where(run => !alive.Contains(run)).Distinct()],
        };
    }
}
