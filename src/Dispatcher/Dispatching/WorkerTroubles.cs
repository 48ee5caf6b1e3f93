using System.Globalization;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>What an operator should change at the live workers.</summary>
internal sealed class WorkerTroubles(IDbContextFactory<DispatcherDb> database, StoreClock clock)
{
    /// <summary>
    /// As much as a person should know of. Nothing breaks: workers correct their times, and the server judges by its own clock.
    /// </summary>
    private const long LargestOffsetMs = 5_000;

    /// <summary>A list for the status must not grow with the fleet.</summary>
    private const int Most = 10;

    public static bool ClockIsOff(KnownWorker worker) => worker.ClockAheadMs is > LargestOffsetMs or < -LargestOffsetMs;

    /// <summary>For example <c>600.0 s ahead</c>.</summary>
    public static string Offset(KnownWorker worker)
    {
        var seconds = worker.ClockAheadMs.GetValueOrDefault() / 1_000.0;
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Abs(seconds):F1} s {(seconds > 0 ? "ahead" : "behind")}");
    }

    /// <summary>One sentence each, at most <see cref="Most"/>.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var workers = await db
            .Workers.NotStale(clock.Now)
            .Where(worker => worker.Dropping != null || worker.ClockAheadMs > LargestOffsetMs || worker.ClockAheadMs < -LargestOffsetMs)
            .OrderBy(worker => worker.Pool)
            .ThenBy(worker => worker.Instance)
            .Take(Most)
            .WithoutLists()
            .ToListAsync(cancellationToken);
        return [.. workers.SelectMany(Of)];
    }

    private static IEnumerable<string> Of(KnownWorker worker)
    {
        if (worker.Dropping is { } why)
        {
            yield return $"worker {worker.Instance} of pool {worker.Pool} cannot use the deliveries that it gets ({why}) and gets no work; "
                + $"it has dropped {worker.Dropped}";
        }

        if (ClockIsOff(worker))
        {
            yield return $"the clock of worker {worker.Instance} of pool {worker.Pool} is {Offset(worker)}; set the clock of its machine";
        }
    }
}
