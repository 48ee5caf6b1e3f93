using System.Collections.Concurrent;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Dispatching;

/// <summary>The registered workers, in the store. An instance is registered from its first heartbeat on. Reads no job.</summary>
internal sealed partial class WorkerRegister(
    IDbContextFactory<DispatcherDb> database,
    CurrentBundle current,
    DispatchSignals signals,
    StoreClock clock,
    ILogger<WorkerRegister> logger
)
{
    private static readonly TimeSpan RemovedAfter = TimeSpan.FromHours(1);

    private static readonly long SharingLogIntervalUs = Timestamps.Micros(TimeSpan.FromMinutes(1));

    /// <summary>Maximum number of instance names in one log line.</summary>
    private const int MaxNames = 5;

    /// <summary>When this process last logged that several instances use a key, by principal.</summary>
    private readonly ConcurrentDictionary<string, long> _sharingLoggedAt = new(StringComparer.Ordinal);

    /// <summary>
    /// Maximum number of live instances of one key, in all pools. Instance names are free text: without a limit one key could fill the
    /// table.
    /// </summary>
    public const int MaxInstances = 256;

    /// <summary>
    /// Stores the registration of an instance; returns the constraints that its pool requires and it does not enforce. Null: its key has
    /// <see cref="MaxInstances"/> live instances already, and this one is not registered.
    /// </summary>
    public async Task<IReadOnlyList<string>?> NoteAsync(
        WorkerRegistration registration,
        string instance,
        string principal,
        CancellationToken cancellationToken
    )
    {
        var worker = new KnownWorker
        {
            Pool = registration.Pool,
            Principal = principal,
            Instance = instance,
            Version = registration.Version,
            Topics = registration.Topics,
            Enforcers = registration.Enforcers,
            Missing =
            [
                .. (current.InForce.Bundle?.Pools.GetValueOrDefault(registration.Pool)?.Enforcers ?? []).Except(
                    registration.Enforcers,
                    StringComparer.Ordinal
                ),
            ],
            Capacity = registration.Capacity,
            Shared = registration.Shared,
            ClockAheadMs = registration.ClockAheadMs,
            Dropped = registration.Dropped,
            Dropping = registration.Dropping,
            StartedAt = clock.Now,
            SeenAt = clock.Now,
        };
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        var before = await db
            .Workers.Where(row => row.Pool == worker.Pool && row.Principal == principal && row.Instance == instance)
            .WithoutLists()
            .SingleOrDefaultAsync(cancellationToken);
        if (before is null && await IsFullAsync(db, principal, cancellationToken))
        {
            Log.TooMany(logger, instance, principal, worker.Pool, MaxInstances);
            return null;
        }

        await WriteAsync(db, worker with { StartedAt = before?.StartedAt ?? worker.StartedAt }, before is null, cancellationToken);
        if (before is null || before.Serves(clock.Now) != worker.Serves(clock.Now) || before.Capacity != worker.Capacity)
        {
            Report(worker);
            signals.Signal(worker.Pool);
        }

        if (WorkerProblems.ClockIsOff(worker) && (before is null || !WorkerProblems.ClockIsOff(before)))
        {
            Log.ClockOff(logger, worker.Instance, principal, worker.Pool, WorkerProblems.Offset(worker));
        }

        if (before is not null)
        {
            await ReportSharingAsync(db, worker, before.SeenAt, cancellationToken);
        }

        return worker.Missing;
    }

    /// <summary>
    /// How many runs these workers can have at once. All instances of one key count at most as much as one instance may register: a key
    /// gets no more jobs by registering instances that do not exist.
    /// </summary>
    public static int Capacity(IEnumerable<KnownWorker> workers) =>
        workers
            .GroupBy(worker => (worker.Pool, worker.Principal))
            .Sum(group => Math.Min(group.Sum(worker => worker.Capacity), RegistrationCheck.MaxCapacity));

    /// <summary>Ordered by pool and then by the time of the first heartbeat.</summary>
    public async Task<IReadOnlyList<KnownWorker>> ListAsync(CancellationToken cancellationToken)
    {
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        return await db
            .Workers.AsNoTracking()
            .OrderBy(row => row.Pool)
            .ThenBy(row => row.StartedAt)
            .ThenBy(row => row.Instance)
            .ToListAsync(cancellationToken);
    }

    /// <summary>
    /// Principals whose key several live instances use, not all of them registered as shared. An instance that replaced another, which has
    /// sent no heartbeat since, does not share.
    /// </summary>
    public static IReadOnlySet<string> UnregisteredSharing(IEnumerable<KnownWorker> workers, long now) =>
        workers
            .Where(worker => worker.Serves(now))
            .GroupBy(worker => worker.Principal, StringComparer.Ordinal)
            .Where(group =>
                group.Any(worker => !worker.Shared)
                && group.Any(one =>
                    group.Any(other => other.Instance != one.Instance && other.SeenAt >= one.StartedAt && one.SeenAt >= other.StartedAt)
                )
            )
            .Select(group => group.Key)
            .ToHashSet(StringComparer.Ordinal);

    /// <summary>
    /// Whether the key has its maximum of live instances. Deletes its stale rows first, so that all rows of a key are bounded.
    /// </summary>
    private async Task<bool> IsFullAsync(DispatcherDb db, string principal, CancellationToken cancellationToken)
    {
        var rows = db.Workers.Where(row => row.Principal == principal);
        var count = await rows.CountAsync(cancellationToken);
        if (count < MaxInstances)
        {
            return false;
        }

        var oldest = clock.Now - KnownWorker.StaleAfterUs;
        return count - await rows.Where(row => row.SeenAt < oldest).ExecuteDeleteAsync(cancellationToken) >= MaxInstances;
    }

    private async Task WriteAsync(DispatcherDb db, KnownWorker worker, bool isNew, CancellationToken cancellationToken)
    {
        try
        {
            db.Entry(worker).State = isNew ? EntityState.Added : EntityState.Modified;
            await db.SaveChangesAsync(cancellationToken);
        }
        catch (DbUpdateException raced) when (!raced.IsStoreUnavailable())
        {
            // Two heartbeats of one instance came together, or the row was removed meanwhile: the next heartbeat writes it.
            return;
        }

        if (isNew)
        {
            var oldest = clock.Now - Timestamps.Micros(RemovedAfter);
            await db.Workers.Where(row => row.SeenAt < oldest).ExecuteDeleteAsync(cancellationToken);
        }
    }

    private void Report(KnownWorker worker)
    {
        if (worker.Missing.Count > 0)
        {
            Log.Refused(logger, worker.Instance, worker.Principal, worker.Pool, string.Join(", ", worker.Missing));
        }
        else if (worker.Dropping is { } why)
        {
            Log.Dropping(logger, worker.Instance, worker.Principal, worker.Pool, worker.Dropped, why);
        }
        else
        {
            Log.Known(logger, worker.Instance, worker.Principal, worker.Pool, worker.Capacity);
        }
    }

    /// <summary>Logs if another instance came since the last heartbeat of this one, at most once a minute for each key.</summary>
    private async Task ReportSharingAsync(DispatcherDb db, KnownWorker worker, long lastSeenAt, CancellationToken cancellationToken)
    {
        var now = clock.Now;
        var rows = db.Workers.Where(row => row.Principal == worker.Principal).NotStale(now);
        if (
            now - _sharingLoggedAt.GetValueOrDefault(worker.Principal, long.MinValue / 2) < SharingLogIntervalUs
            || !await rows.AnyAsync(row => row.Instance != worker.Instance && row.StartedAt > lastSeenAt, cancellationToken)
        )
        {
            return;
        }

        var others = await rows.WithoutLists().ToListAsync(cancellationToken);
        if (UnregisteredSharing(others, now).Count > 0)
        {
            _sharingLoggedAt[worker.Principal] = now;
            var names = others.Where(row => row.Serves(now)).Select(row => row.Instance).Distinct().ToList();
            Log.SharedCredential(logger, names.Count, worker.Principal, string.Join(", ", names.Take(MaxNames)));
        }
    }

    private static partial class Log
    {
        [LoggerMessage(
            EventIds.WorkerKnown,
            LogLevel.Information,
            "Worker {Instance} ({Principal}) serves pool {Pool}, {Capacity} runs at a time"
        )]
        public static partial void Known(ILogger logger, string instance, string principal, string pool, int capacity);

        [LoggerMessage(
            EventIds.WorkerRefused,
            LogLevel.Error,
            "Worker {Instance} ({Principal}) does not enforce {Missing}, which pool {Pool} requires: it gets no jobs"
        )]
        public static partial void Refused(ILogger logger, string instance, string principal, string pool, string missing);

        [LoggerMessage(
            EventIds.WorkerDropping,
            LogLevel.Error,
            "Worker {Instance} ({Principal}) of pool {Pool} cannot use its deliveries and has dropped {Dropped}, the last "
                + "because of {Reason}: it gets no jobs until it tries again. Compare its version and pool with this server's"
        )]
        public static partial void Dropping(ILogger logger, string instance, string principal, string pool, long dropped, string reason);

        [LoggerMessage(
            EventIds.WorkerClockOff,
            LogLevel.Warning,
            "The clock of worker {Instance} ({Principal}) of pool {Pool} is {Offset}; the worker corrects the times that it reports. "
                + "Set the clock of its machine"
        )]
        public static partial void ClockOff(ILogger logger, string instance, string principal, string pool, string offset);

        [LoggerMessage(
            EventIds.WorkersTooMany,
            LogLevel.Warning,
            "Refused the registration of worker {Instance} for pool {Pool}: the key of {Principal} has {Max} live instances. "
                + "Give each worker its own key; if these workers are unknown to you, revoke the key"
        )]
        public static partial void TooMany(ILogger logger, string instance, string principal, string pool, int max);

        [LoggerMessage(
            EventIds.SharedCredential,
            LogLevel.Warning,
            "{Count} workers use the credential of {Principal}, and not all of them register it as shared, among them: {Instances}. "
                + "Give each its own key, or register all as shared"
        )]
        public static partial void SharedCredential(ILogger logger, int count, string principal, string instances);
    }
}
