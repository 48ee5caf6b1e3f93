using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.StoreTests.Databases;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests;

/// <summary>The stores that must behave in the same way.</summary>
public enum StoreKind
{
    Postgres,
    Sqlite,
}

/// <summary>
/// The base of contract tests of the store. An abstract subclass has the tests, and two sealed classes run them on PostgreSQL and on
/// SQLite. Each test has a separate database with the bundle <see cref="AJob.Policy"/> in force.
/// </summary>
public abstract class StoreTest(StoreKind kind) : IAsyncLifetime
{
    private TestDatabase? _database;

    private protected TestDatabase Database => _database ?? throw new InvalidOperationException("The test has not begun.");

    private protected IStore Store => Database.Store;

    private protected StoreKind Kind => kind;

    private protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    public virtual async ValueTask InitializeAsync()
    {
        _database = kind == StoreKind.Postgres ? await TestDatabase.OnPostgresAsync() : await TestDatabase.OnSqliteAsync();
        await ActivateAsync(AJob.Policy);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_database is not null)
        {
            await _database.DisposeAsync();
        }
    }

    private protected Task ActivateAsync(string hash) => Store.ActivateAsync(_ => AnActivation.Of(hash), Stop);

    /// <summary>Stores the job and asserts that it was stored.</summary>
    private protected async Task<Job> StoredAsync(Job job)
    {
        var committed = await Store.AcceptAsync([AnAcceptance.Of(job)], null, Stop);
        Assert.Contains(job.JobId, committed.Jobs);
        return await JobAsync(job.JobId);
    }

    /// <summary>Stores a job and moves it to dispatched and running. <paramref name="last"/> changes the running row.</summary>
    private protected async Task<Job> RunningAsync(Func<Job, Job>? last = null)
    {
        var accepted = await StoredAsync(AJob.New());
        await MovedAsync(new Move(accepted, accepted with { State = Contracts.JobState.Dispatched, Attempt = 1 }));
        var dispatched = await JobAsync(accepted.JobId);
        var running = dispatched with { State = Contracts.JobState.Running, RunId = Guid.CreateVersion7(), ClaimedBy = "worker-key" };
        await MovedAsync(new Move(dispatched, last is null ? running : last(running)));
        return await JobAsync(accepted.JobId);
    }

    /// <summary>Applies the move and asserts that it was committed.</summary>
    private protected async Task MovedAsync(Move move) => Assert.Contains(move.Before.JobId, (await Store.MoveAsync([move], Stop)).Jobs);

    private protected Task<Job> JobAsync(Guid jobId) => ReadAsync(db => db.Jobs.SingleAsync(job => job.JobId == jobId, Stop));

    private protected Task<List<Job>> JobsAsync() => ReadAsync(db => db.Jobs.ToListAsync(Stop));

    private protected Task<List<TimelineEntry>> TimelineAsync(Guid jobId) =>
        ReadAsync(db => db.Timeline.Where(entry => entry.JobId == jobId).OrderBy(entry => entry.EntryId).ToListAsync(Stop));

    private protected Task<List<OutboxMessage>> OutboxAsync() => ReadAsync(db => db.Outbox.ToListAsync(Stop));

    private protected Task<List<Denial>> DenialsAsync() => ReadAsync(db => db.Denials.ToListAsync(Stop));

    /// <summary>The number of rows of each table, to assert that nothing was written.</summary>
    private protected async Task<string> CountsAsync()
    {
        var counts = new List<string>();
        foreach (var table in new[] { "jobs", "denials", "timeline", "outbox", "dead_letters" })
        {
            counts.Add($"{table} {await Database.CountAsync(table)}");
        }

        return string.Join(", ", counts);
    }

    private protected async Task<T> ReadAsync<T>(Func<DispatcherDb, Task<T>> read)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        db.ChangeTracker.QueryTrackingBehavior = QueryTrackingBehavior.NoTracking;
        return await read(db);
    }

    /// <summary>Runs <paramref name="run"/> in parallel tasks that start at the same moment. Each gets its number.</summary>
    private protected static async Task<T[]> AtOnceAsync<T>(int tasks, Func<int, Task<T>> run)
    {
        using var go = new SemaphoreSlim(0);
        var running = Enumerable
            .Range(0, tasks)
            .Select(async i =>
            {
                await go.WaitAsync(Stop);
                return await run(i);
            })
            .ToList();
        go.Release(tasks);
        return await Task.WhenAll(running);
    }
}
