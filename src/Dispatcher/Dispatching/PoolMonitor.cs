using System.Text.Json.Serialization;
using Dispatcher.Base;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>The state of a pool, for status, metrics and logs.</summary>
/// <param name="Workers">Live instances that serve it.</param>
/// <param name="Capacity">How many runs they can have at once.</param>
/// <param name="Waiting">Jobs in its backlog, including retries that are not ready yet.</param>
/// <param name="Dispatched">Attempts that are not claimed yet.</param>
/// <param name="Running">Runs of live instances.</param>
/// <param name="Limit">
/// Maximum number of attempts in progress while its circuit breaker is open in this process. Null: the breaker is closed.
/// </param>
/// <param name="Note">Why its jobs wait. Null: no job waits, or jobs wait only for a free slot.</param>
internal sealed record PoolView(int Workers, int Capacity, int Waiting, int Dispatched, int Running, int? Limit, string? Note)
{
    /// <summary>When the first job of the backlog became, or becomes, ready. Not part of the status. Null: none waits.</summary>
    [JsonIgnore]
    public long? OldestReadyAt { get; init; }

    public static PoolView Of(PoolLoad load, int waiting, int? limit) =>
        new(
            load.Workers,
            load.Capacity,
            waiting,
            load.Unclaimed,
            load.Running,
            limit,
            waiting == 0 ? null
                : load.Workers == 0 && load.Dropping is { } why ? $"its workers cannot use their deliveries ({why}): its jobs wait"
                : load.Workers == 0 ? "no worker serves it: its jobs wait"
                : load.HasSuspect ? "a job that lost its worker before runs alone: the other jobs wait until it ends"
                : limit is not null ? $"circuit breaker open: at most {limit} concurrent attempts, until they succeed again"
                : null
        );
}

/// <summary>Reads the state of all pools every few seconds, for metrics and logs: a pool whose jobs wait must be reported.</summary>
internal sealed partial class PoolMonitor(
    IDbContextFactory<DispatcherDb> database,
    PoolCapacity capacity,
    CurrentBundle current,
    StoreClock clock,
    DispatcherMetrics metrics,
    StoreMetrics store,
    TimeProvider time,
    ILogger<PoolMonitor> logger
) : Loop(TimeSpan.FromSeconds(5), time, logger)
{
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly HashSet<string> _waiting = new(StringComparer.Ordinal);

    public override async Task OnceAsync(CancellationToken cancellationToken)
    {
        var pools = await ReadAsync(cancellationToken);
        foreach (var gone in _seen.Where(pool => !pools.ContainsKey(pool)).ToList())
        {
            // Otherwise the last values of a removed pool stay until the end of this process.
            _seen.Remove(gone);
            _waiting.Remove(gone);
            metrics.PoolSeen(gone, 0, 0, null);
            store.BacklogSeen(gone, TimeSpan.Zero);
        }

        foreach (var (pool, view) in pools)
        {
            _seen.Add(pool);
            metrics.PoolSeen(pool, view.Waiting, view.Capacity, view.Limit);
            store.BacklogSeen(pool, TimeSpan.FromMicroseconds(Math.Max(0, clock.Now - (view.OldestReadyAt ?? clock.Now))));
            if (view.Note is { } note && _waiting.Add(pool))
            {
                Log.JobsWait(logger, pool, view.Waiting, note);
            }
            else if (view.Note is null && _waiting.Remove(pool))
            {
                Log.JobsResumed(logger, pool);
            }
        }
    }

    /// <summary>The pools of the registry, and every other pool with a backlog. Reads no payload.</summary>
    public async Task<IReadOnlyDictionary<string, PoolView>> ReadAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var waiting = await db
            .Jobs.Where(PoolBacklog.Waits)
            .GroupBy(job => job.Pool)
            .Select(group => new
            {
                group.Key,
                Count = group.Count(),
                Oldest = group.Min(job => job.ReadyAt),
            })
            .ToDictionaryAsync(group => group.Key ?? "", group => (group.Count, Oldest: (long?)group.Oldest), cancellationToken);
        var pools = new SortedDictionary<string, PoolView>(StringComparer.Ordinal);
        foreach (var pool in (current.InForce.Bundle?.Pools.Keys ?? []).Union(waiting.Keys))
        {
            pools[pool] = PoolView.Of(
                await capacity.LoadAsync(pool, cancellationToken),
                waiting.GetValueOrDefault(pool).Count,
                capacity.LimitOf(pool)
            ) with
            {
                OldestReadyAt = waiting.GetValueOrDefault(pool).Oldest,
            };
        }

        return pools;
    }

    private static partial class Log
    {
        [LoggerMessage(EventIds.PoolJobsWait, LogLevel.Warning, "{Waiting} jobs of pool {Pool} wait: {Note}")]
        public static partial void JobsWait(ILogger logger, string pool, int waiting, string note);

        [LoggerMessage(EventIds.PoolJobsResumed, LogLevel.Information, "The jobs of pool {Pool} no longer wait")]
        public static partial void JobsResumed(ILogger logger, string pool);
    }
}
