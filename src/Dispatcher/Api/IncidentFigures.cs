using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Api;

/// <summary>The figures of an incident, without payloads, labels, results and fault messages.</summary>
/// <param name="Kind">What the id names: <c>job</c>, <c>dead_letter</c> or <c>freeze</c>.</param>
/// <param name="Id">The id.</param>
/// <param name="Topic">The topic of the incident. Null: every topic of the pools.</param>
/// <param name="PoolNames">The pools of the incident. Empty: none is known.</param>
/// <param name="Began">The freeze, the submission of the job, or the dead letter of no job.</param>
/// <param name="CountedSince">From when jobs and dead letters are counted: the beginning, or a day before the figures.</param>
/// <param name="At">The database's time of the figures.</param>
internal sealed record IncidentView(
    string Kind,
    Guid Id,
    string? Topic,
    IReadOnlyList<string> PoolNames,
    DateTimeOffset Began,
    DateTimeOffset CountedSince,
    DateTimeOffset At
)
{
    /// <summary>False: there were more jobs or dead letters of the incident than are read; the newest ones are counted.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>The jobs submitted since <see cref="CountedSince"/>, by their state now.</summary>
    public required IReadOnlyDictionary<string, int> Jobs { get; init; }

    /// <summary>The dead letters since <see cref="CountedSince"/>, by the class of their fault.</summary>
    public required IReadOnlyDictionary<string, int> DeadLetters { get; init; }

    /// <summary>Of the dead letters, and of the topics of the jobs.</summary>
    public required IReadOnlyList<string> Owners { get; init; }

    /// <summary>The freezes in force that stop jobs of the incident.</summary>
    public required IReadOnlyList<FreezeView> Freezes { get; init; }

    /// <summary>Hash of the bundle in force. Null: none is.</summary>
    public string? PolicyHash { get; init; }

    /// <summary>Whether it came into force since the incident began.</summary>
    public bool PolicyChanged { get; init; }

    /// <summary>When the first waiting job of the pools became ready. Null: none waits.</summary>
    public DateTimeOffset? OldestReady { get; init; }

    /// <summary>The state of the pools now.</summary>
    public IReadOnlyDictionary<string, PoolView> Pools { get; init; } = new Dictionary<string, PoolView>();

    public IncidentView With(IReadOnlyDictionary<string, PoolView> all)
    {
        var pools = all.Where(pool => PoolNames.Contains(pool.Key)).ToDictionary(pool => pool.Key, pool => pool.Value);
        return this with { Pools = pools, OldestReady = Timestamps.At(pools.Values.Min(pool => pool.OldestReadyAt)) };
    }
}

/// <summary>Reads what an incident affects. Rows are found by the indexes of their times, of at most a day.</summary>
/// <param name="store">The clock of the store.</param>
/// <param name="database">The store.</param>
/// <param name="current">The bundle in force, which names pools and owners.</param>
/// <param name="maxRows">Number of jobs, and of dead letters, that are counted.</param>
internal sealed class IncidentFigures(IStore store, IDbContextFactory<DispatcherDb> database, CurrentBundle current, int maxRows = 10_000)
{
    private static readonly long MaxAge = Timestamps.Micros(TimeSpan.FromDays(1));

    /// <summary>The figures without those of the pools. Null: the id names no job, dead letter or freeze.</summary>
    public async Task<IncidentView?> ReadAsync(Guid id, CancellationToken cancellationToken)
    {
        var now = await store.NowAsync(cancellationToken);
        await using var db = await database.CreateDbContextAsync(cancellationToken);
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        if (await ScopeAsync(db, id, cancellationToken) is not { } found)
        {
            return null;
        }

        var scope = found with { CountedSince = Math.Max(found.Began, now - MaxAge) };
        var jobs = await JobsAsync(db, scope, cancellationToken);
        var letters = await LettersAsync(db, scope, cancellationToken);
        var freezes = await db.Freezes.Where(Freeze.IsInForce(now)).OrderBy(freeze => freeze.Since).ToListAsync(cancellationToken);
        var bundle = await db.ActiveBundle.SingleOrDefaultAsync(cancellationToken);
        var (began, countedSince) = (Timestamps.At(scope.Began), Timestamps.At(scope.CountedSince));
        return new IncidentView(scope.Kind, id, scope.Topic, scope.Pools, began, countedSince, Timestamps.At(now))
        {
            IsComplete = jobs.Count < maxRows && letters.Count < maxRows,
            Jobs = Counted(jobs.Select(job => WireNames.Of(job.State))),
            DeadLetters = Counted(letters.Select(letter => letter.Class)),
            Owners =
            [
                .. letters
                    .Select(letter => letter.Owner)
                    .Concat(jobs.Select(job => OwnerOf(job.Topic)))
                    .Append(OwnerOf(scope.Topic))
                    .OfType<string>()
                    .Distinct()
                    .Order(StringComparer.Ordinal),
            ],
            Freezes = [.. freezes.Where(scope.IsStoppedBy).Select(FreezeView.Of)],
            PolicyHash = bundle?.Hash,
            PolicyChanged = bundle?.ActivatedAt >= scope.Began,
        };
    }

    private async Task<Scope?> ScopeAsync(DispatcherDb db, Guid id, CancellationToken cancellationToken)
    {
        if (
            await db
                .Jobs.Where(job => job.JobId == id)
                .Select(job => new { job.Topic, job.CreatedAt })
                .FirstOrDefaultAsync(cancellationToken) is
            { } job
        )
        {
            return new Scope("job", job.Topic, PoolsOf(job.Topic), job.CreatedAt);
        }

        if (
            await db
                .DeadLetters.Where(letter => letter.DeadLetterId == id)
                .Select(letter => new
                {
                    letter.Topic,
                    letter.At,
                    letter.JobId,
                })
                .FirstOrDefaultAsync(cancellationToken) is
            { } dead
        )
        {
            var began = await db
                .Jobs.Where(job => job.JobId == dead.JobId)
                .Select(job => (long?)job.CreatedAt)
                .FirstOrDefaultAsync(cancellationToken);
            return new Scope("dead_letter", dead.Topic, PoolsOf(dead.Topic), began ?? dead.At);
        }

        return await db.Freezes.SingleOrDefaultAsync(freeze => freeze.FreezeId == id, cancellationToken) is { } freeze
            ? new Scope(
                "freeze",
                freeze.Kind == FreezeKinds.Topic ? freeze.Target : null,
                freeze.Kind switch
                {
                    FreezeKinds.Topic => PoolsOf(freeze.Target),
                    FreezeKinds.Pool => [freeze.Target],
                    _ => [.. current.InForce.Bundle?.Pools.Keys ?? []],
                },
                freeze.Since
            )
            {
                Pool = freeze.Kind == FreezeKinds.Pool ? freeze.Target : null,
            }
            : null;
    }

    private async Task<List<(string Topic, JobState State)>> JobsAsync(DispatcherDb db, Scope scope, CancellationToken cancellationToken) =>
        [
            .. (
                await db
                    .Jobs.Where(job => job.CreatedAt >= scope.CountedSince)
                    .Where(job => (scope.Topic == null || job.Topic == scope.Topic) && (scope.Pool == null || job.Pool == scope.Pool))
                    .OrderByDescending(job => job.CreatedAt)
                    .Take(maxRows)
                    .Select(job => new { job.Topic, job.State })
                    .ToListAsync(cancellationToken)
            ).Select(job => (job.Topic, job.State)),
        ];

    private async Task<List<(string Class, string Owner)>> LettersAsync(DispatcherDb db, Scope scope, CancellationToken cancellationToken)
    {
        // A dead letter names no pool.
        var topics = TopicsOf(scope.Pool);
        return
        [
            .. (
                await db
                    .DeadLetters.Where(letter => letter.At >= scope.CountedSince)
                    .Where(letter => scope.Topic == null || letter.Topic == scope.Topic)
                    .Where(letter => scope.Pool == null || topics.Contains(letter.Topic))
                    .OrderByDescending(letter => letter.At)
                    .Take(maxRows)
                    .Select(letter => new { letter.FaultClass, letter.Owner })
                    .ToListAsync(cancellationToken)
            ).Select(letter => (letter.FaultClass, letter.Owner)),
        ];
    }

    private List<string> TopicsOf(string? pool) =>
        [.. current.InForce.Bundle?.JobClasses.Where(one => one.Value.Pool == pool).Select(one => one.Key) ?? []];

    private string? PoolOf(string? topic) => topic is not null ? current.InForce.Bundle?.JobClasses.GetValueOrDefault(topic)?.Pool : null;

    private string? OwnerOf(string? topic) => topic is not null ? current.InForce.Bundle?.JobClasses.GetValueOrDefault(topic)?.Owner : null;

    private IReadOnlyList<string> PoolsOf(string topic) => PoolOf(topic) is { } pool ? [pool] : [];

    private static Dictionary<string, int> Counted(IEnumerable<string> names) =>
        names
            .GroupBy(name => name)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .ToDictionary(group => group.Key, group => group.Count());

    /// <summary>What an incident affects. A null topic or pool does not limit it.</summary>
    private sealed record Scope(string Kind, string? Topic, IReadOnlyList<string> Pools, long Began)
    {
        public string? Pool { get; init; }

        public long CountedSince { get; init; } = Began;

        public bool IsStoppedBy(Freeze freeze) =>
            freeze.Kind switch
            {
                FreezeKinds.All => true,
                FreezeKinds.Pool => Pools.Contains(freeze.Target),
                _ => Topic is null ? Pool is null : Topic == freeze.Target,
            };
    }
}
