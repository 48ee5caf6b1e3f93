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

    /// <summary>Counts the live workers, and lists the problems of at most <see cref="MaxProblems"/> of them.</summary>
    public async Task<LiveWorkers> ReadAsync(CancellationToken cancellationToken)
    {
        var now = clock.Now;
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var workers = await db
            .Workers.NotStale(now)
            .OrderBy(worker => worker.Pool)
            .ThenBy(worker => worker.Instance)
            .WithoutLists()
            .ToListAsync(cancellationToken);
        return new LiveWorkers(
            workers.Count,
            workers.Count(worker => worker.Serves(now)),
            [.. workers.Select(Of).Where(problems => problems.Count > 0).Take(MaxProblems).SelectMany(problems => problems)]
        );
    }

    private static List<string> Of(KnownWorker worker) => [.. ProblemsOf(worker)];

    private static IEnumerable<string> ProblemsOf(KnownWorker worker)
    {
        if (worker.Missing.Count > 0)
        {
            yield return $"worker {worker.Instance} of pool {worker.Pool} does not enforce {string.Join(", ", worker.Missing)}, which the "
                + "pool requires, and gets no jobs";
        }

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

/// <summary>The workers with a recent heartbeat.</summary>
/// <param name="Live">How many there are.</param>
/// <param name="Serving">Those that get jobs.</param>
/// <param name="Problems">What an operator should solve, one sentence each.</param>
internal sealed record LiveWorkers(int Live, int Serving, IReadOnlyList<string> Problems);
