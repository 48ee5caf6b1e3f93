using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>
/// Counts for the status. Any number of callers cost at most one measurement at a time, and one in <see cref="MaxAge"/>. A caller that
/// leaves does not end the measurement: the next one gets its result.
/// </summary>
internal sealed class StatusFigures(
    IDbContextFactory<DispatcherDb> database,
    PoolMonitor pools,
    StoreClock clock,
    TimeProvider time,
    IHostApplicationLifetime lifetime
)
{
    private static readonly TimeSpan MaxAge = TimeSpan.FromSeconds(2);

    /// <summary>A measurement that takes longer is ended, so that the next one may begin.</summary>
    private static readonly TimeSpan MaxMeasurement = TimeSpan.FromSeconds(60);

    /// <summary>How long an ended job is counted.</summary>
    private static readonly TimeSpan Ended = TimeSpan.FromHours(1);

    private readonly Lock _gate = new();
    private Task<StatusCounts>? _measurement;

    /// <summary>The counts of the last measurement, or of a new one.</summary>
    public Task<StatusCounts> ReadAsync(CancellationToken cancellationToken)
    {
        Task<StatusCounts> measurement;
        lock (_gate)
        {
            var isUsable = _measurement is { } last && (!last.IsCompleted || (last.IsCompletedSuccessfully && IsRecent(last.Result)));
            measurement = isUsable ? _measurement! : _measurement = MeasureAsync();
        }

        return measurement.WaitAsync(cancellationToken);
    }

    private bool IsRecent(StatusCounts counts) => time.GetElapsedTime(counts.EndedAt) <= MaxAge;

    private async Task<StatusCounts> MeasureAsync()
    {
        // The client of SQLite works synchronously, and the caller holds the lock.
        await Task.Yield();
        using var most = new CancellationTokenSource(MaxMeasurement, time);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(lifetime.ApplicationStopping, most.Token);
        await using var db = await database.CreateDbContextAsync(limit.Token);
        var figures = await StoreFigures.ReadAsync(db, clock.Now, limit.Token);
        var jobs = await StoreFigures.JobsAsync(db, clock.Now - Timestamps.Micros(Ended), limit.Token);
        var loads = await pools.ReadAsync(limit.Token);
        return new(figures, jobs, loads, time.GetTimestamp());
    }
}

/// <summary>One measurement.</summary>
/// <param name="Store">What waits in the store.</param>
/// <param name="Jobs">Live jobs by state, and those that ended within the last hour.</param>
/// <param name="Pools">The pools by name.</param>
/// <param name="EndedAt">The timestamp of its end.</param>
internal sealed record StatusCounts(
    StoreFigures Store,
    IReadOnlyDictionary<JobState, int> Jobs,
    IReadOnlyDictionary<string, PoolView> Pools,
    long EndedAt
);
