using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Storage;

/// <summary>
/// Reads workers without their topics and enforcers, which have up to 16 KiB and are only shown. Both lists are empty in the result, so it
/// must not be written back.
/// </summary>
internal static class WorkersWithoutLists
{
    private static readonly IReadOnlyList<string> None = [];

    public static IQueryable<KnownWorker> WithoutLists(this IQueryable<KnownWorker> workers) =>
        workers
            .AsNoTracking()
            .Select(worker => new KnownWorker
            {
                Pool = worker.Pool,
                Principal = worker.Principal,
                Instance = worker.Instance,
                Version = worker.Version,
                Topics = None,
                Enforcers = None,
                Missing = worker.Missing,
                Capacity = worker.Capacity,
                Shared = worker.Shared,
                ClockAheadMs = worker.ClockAheadMs,
                Dropped = worker.Dropped,
                Dropping = worker.Dropping,
                StartedAt = worker.StartedAt,
                SeenAt = worker.SeenAt,
            });

    /// <summary>Workers with a recent heartbeat. One of them may still lack an enforcer, or have stopped.</summary>
    public static IQueryable<KnownWorker> NotStale(this IQueryable<KnownWorker> workers, long now)
    {
        var oldest = now - KnownWorker.StaleAfterUs;
        return workers.Where(worker => worker.SeenAt >= oldest);
    }
}
