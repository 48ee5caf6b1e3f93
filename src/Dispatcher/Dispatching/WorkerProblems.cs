using System.Globalization;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>Problems of the live workers that an operator should solve.</summary>
internal sealed class WorkerProblems(IDbContextFactory<DispatcherDb> database, StoreClock clock)
{
    /// <summary>
    /// Above this offset the server reports the clock. The offset does no harm: workers correct their times, and the server decides by its
    /// own clock.
    /// </summary>
    private const long MaxOffsetMs = 5_000;

    /// <summary>Maximum length of the list: it must not grow with the number of workers.</summary>
    private const int MaxProblems = 10;

    public static bool ClockIsOff(KnownWorker worker) => worker.ClockAheadMs is > MaxOffsetMs or < -MaxOffsetMs;

    /// <summary>For example <c>600.0 s ahead</c>.</summary>
    public static string Offset(KnownWorker worker)
    {
        var seconds = worker.ClockAheadMs.GetValueOrDefault() / 1_000.0;
        return string.Create(CultureInfo.InvariantCulture, $"{Math.Abs(seconds):F1} s {(seconds > 0 ? "ahead" : "behind")}");
    }

    /// <summary>One sentence each, at most <see cref="MaxProblems"/>.</summary>
    public async Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var workers = await db
            .Workers.NotStale(clock.Now)
            .Where(worker => worker.Dropping != null || worker.ClockAheadMs > MaxOffsetMs || worker.ClockAheadMs < -MaxOffsetMs)
            .OrderBy(worker => worker.Pool)
            .ThenBy(worker => worker.Instance)
            .Take(MaxProblems)
            .WithoutLists()
            .ToListAsync(cancellationToken);
        return [.. workers.SelectMany(Of)];
    }

    private static IEnumerable<string> Of(KnownWorker worker)
    {
        if (worker.Dropping is { } why)
        {
            yield return $"worker {worker.Instance} of pool {worker.Pool} cannot use its deliveries ({why}) and gets no jobs; "
                + $"it has dropped {worker.Dropped}";
        }

        if (ClockIsOff(worker))
        {
            yield return $"the clock of worker {worker.Instance} of pool {worker.Pool} is {Offset(worker)}; set the clock of its machine";
        }
    }
}
