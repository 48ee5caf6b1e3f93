using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Dispatcher.Web;

namespace Dispatcher.Dispatching;

/// <summary>A worker, as the API shows it.</summary>
/// <param name="Pool">The pool it serves.</param>
/// <param name="Principal">The subject of its key.</param>
/// <param name="Instance">The name that it registered.</param>
/// <param name="Version">The version that it registered.</param>
/// <param name="Topics">The topics it has a handler for.</param>
/// <param name="Enforcers">The constraints it enforces.</param>
/// <param name="MissingEnforcers">Constraints that the pool requires and it does not enforce. Not empty: it gets no jobs.</param>
/// <param name="Capacity">How many runs it can have at once. 0: it has stopped.</param>
/// <param name="Stale">It has sent no heartbeat for more than 15 s, and gets no jobs.</param>
/// <param name="ClockAheadMs">How far its clock is ahead of the server's, in milliseconds; negative: behind. It corrects the times that
/// it reports. Null: not measured.</param>
/// <param name="Dropped">Deliveries that it could not use and dropped, since it started.</param>
/// <param name="Dropping">Why it could use none of its last deliveries. Not null: it gets no jobs until it tries again, a minute
/// later.</param>
/// <param name="SharedCredential">Other instances use its credential, and not all of them registered it as shared.</param>
/// <param name="StartedAt">The time of its first heartbeat.</param>
/// <param name="SeenAt">The time of its last heartbeat.</param>
internal sealed record WorkerView(
    string Pool,
    string Principal,
    string Instance,
    string Version,
    IReadOnlyList<string> Topics,
    IReadOnlyList<string> Enforcers,
    IReadOnlyList<string> MissingEnforcers,
    int Capacity,
    long? ClockAheadMs,
    long Dropped,
    string? Dropping,
    bool Stale,
    bool SharedCredential,
    DateTimeOffset StartedAt,
    DateTimeOffset SeenAt
)
{
    public static WorkerView Of(KnownWorker worker, bool stale, bool sharedCredential) =>
        new(
            worker.Pool,
            worker.Principal,
            worker.Instance,
            worker.Version,
            worker.Topics,
            worker.Enforcers,
            worker.Missing,
            worker.Capacity,
            worker.ClockAheadMs,
            worker.Dropped,
            worker.Dropping,
            stale,
            sharedCredential,
            Timestamps.At(worker.StartedAt),
            Timestamps.At(worker.SeenAt)
        );
}

/// <summary>All workers.</summary>
internal sealed record WorkersView(IReadOnlyList<WorkerView> Workers);

/// <summary><c>GET /api/workers</c>: the workers of each pool, for operators.</summary>
internal static class WorkerEndpoints
{
    public static void MapWorkers(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/api/workers", ListAsync).RequireAuthorization(Callers.Operators).WithTags("workers").Produces<WorkersView>();

    private static async Task<IResult> ListAsync(WorkerRegister register, StoreClock clock, CancellationToken cancellationToken)
    {
        var now = clock.Now;
        var workers = await register.ListAsync(cancellationToken);
        var shared = WorkerRegister.UnregisteredSharing(workers, now);
        return Results.Ok(
            new WorkersView([
                .. workers.Select(worker =>
                    WorkerView.Of(worker, worker.SeenAt < now - KnownWorker.StaleAfterUs, shared.Contains(worker.Principal))
                ),
            ])
        );
    }
}
