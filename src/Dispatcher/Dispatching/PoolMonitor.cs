using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>How a pool does.</summary>
/// <param name="Workers">Live instances that serve it.</param>
/// <param name="Capacity">How many runs they can have at once.</param>
/// <param name="Waiting">Jobs in its line, retries that are not ready yet among them.</param>
/// <param name="Dispatched">Attempts that nobody has claimed yet.</param>
/// <param name="Running">Runs of live instances.</param>
/// <param name="Limit">How many attempts may be under way, since too many came to nothing; as the answering process sees it. Null: not limited.</param>
/// <param name="Note">What keeps its jobs waiting. Null: nothing does, or nobody waits.</param>
internal sealed record PoolView(int Workers, int Capacity, int Waiting, int Dispatched, int Running, int? Limit, string? Note)
{
    public static PoolView Of(PoolLoad load, int waiting, int? limit) =>
        new(
            load.Workers,
            load.Capacity,
            waiting,
            load.Unclaimed,
            load.Running,
            limit,
            waiting == 0 ? null
                : load.Workers == 0 && load.Dropping is { } why
                    ? $"its workers cannot use the deliveries that they get ({why}): its jobs wait"
                : load.Workers == 0 ? "no worker serves it: its jobs wait"
                : load.HasSuspect
                    ? "a job runs alone whose worker went away before: the others wait until it has shown whether it was the reason"
                : limit is not null ? $"its attempts come to nothing: {limit} at a time, until they succeed again"
                : null
        );
}

/// <summary>Looks at all pools every few seconds, for metrics and logs: a pool that holds its jobs must not do so in silence.</summary>
internal sealed partial class PoolMonitor(
    IDbContextFactory<DispatcherDb> database,
    PoolCapacity window,
    CurrentBundle current,
    DispatcherMetrics metrics,
    TimeProvider time,
    ILogger<PoolMonitor> logger
) : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    private readonly HashSet<string> _holding = new(StringComparer.Ordinal);

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        foreach (var (pool, view) in await LookAsync(cancellationToken))
        {
            metrics.PoolSeen(pool, view.Waiting, view.Capacity, view.Limit);
            if (view.Note is { } note && _holding.Add(pool))
            {
                Log.Holds(logger, pool, view.Waiting, note);
            }
            else if (view.Note is null && _holding.Remove(pool))
            {
                Log.Flows(logger, pool);
            }
        }
    }

    /// <summary>The pools of the registry, and any other in whose line a job stands.</summary>
    public async Task<IReadOnlyDictionary<string, PoolView>> LookAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var waiting = await db
            .Jobs.Where(PoolBacklog.Waits)
            .GroupBy(job => job.Pool)
            .Select(group => new { group.Key, Count = group.Count() })
            .ToDictionaryAsync(group => group.Key ?? "", group => group.Count, cancellationToken);
        var pools = new SortedDictionary<string, PoolView>(StringComparer.Ordinal);
        foreach (var pool in (current.InForce.Bundle?.Pools.Keys ?? []).Union(waiting.Keys))
        {
            pools[pool] = PoolView.Of(
                await window.LoadAsync(pool, cancellationToken),
                waiting.GetValueOrDefault(pool),
                window.LimitOf(pool)
            );
        }

        return pools;
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.PoolHolds, LogLevel.Warning, "Pool {Pool} holds {Waiting} jobs: {Note}")]
        public static partial void Holds(ILogger logger, string pool, int waiting, string note);

        [LoggerMessage(EventIds.PoolFlows, LogLevel.Information, "Pool {Pool} holds its jobs no longer")]
        public static partial void Flows(ILogger logger, string pool);
    }
}
