using Dispatcher.Api;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Api;

/// <summary>What the status counts in the store.</summary>
public abstract class StoreFiguresTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Jobs_are_counted_by_state_without_those_that_ended_long_ago()
    {
        await StoredAsync(AJob.New());
        await StoredAsync(AJob.New());
        var recent = await RunningAsync();
        var old = await RunningAsync();
        await RunningAsync();
        await MovedAsync(new Move(recent, recent with { State = JobState.Succeeded }));
        await MovedAsync(new Move(old, old with { State = JobState.Succeeded }));
        var now = await Store.NowAsync(Stop);
        await SetFinishedAsync(recent.JobId, now - 1_000_000);
        await SetFinishedAsync(old.JobId, now - 7_200_000_000);

        var counts = await ReadAsync(db => StoreFigures.JobsAsync(db, now - 3_600_000_000, Stop));

        Assert.Equal(
            [(JobState.Accepted, 2), (JobState.Running, 1), (JobState.Succeeded, 1)],
            counts.Select(count => (count.Key, count.Value)).Order()
        );
    }

    [Fact]
    public async Task Figures_have_the_oldest_due_job_and_the_dead_letters_of_each_owner()
    {
        var now = await Store.NowAsync(Stop);
        await StoredAsync(AJob.New().DueAt(now - 5_000));
        await StoredAsync(AJob.New().DueAt(now - 9_000));
        await StoredAsync(AJob.New().DueAt(now + 60_000_000));
        await using (var db = await Database.Contexts.CreateDbContextAsync(Stop))
        {
            db.AddRange(Letter("platform", now - 2_000_000), Letter("platform", now - 901_000_000), Letter("billing", now - 902_000_000));
            await db.SaveChangesAsync(Stop);
        }

        var figures = await ReadAsync(db => StoreFigures.ReadAsync(db, now, Stop));

        Assert.Equal(now - 9_000, figures.OldestDueAt);
        Assert.Equal(
            [new OwnersDeadLetters("billing", 1, 0, now - 902_000_000), new OwnersDeadLetters("platform", 2, 1, now - 901_000_000)],
            figures.DeadLetters
        );
        Assert.NotNull(figures.BundleActivatedAt);
        Assert.Equal((0, null), (figures.Approvals.Count, figures.Approvals.OldestAt));
    }

    /// <summary>The time of the end is the database's; a test cannot wait for an hour.</summary>
    private Task<int> SetFinishedAsync(Guid jobId, long at) =>
        ReadAsync(db =>
            db.Jobs.Where(job => job.JobId == jobId).ExecuteUpdateAsync(set => set.SetProperty(job => job.FinishedAt, at), Stop)
        );

    private static DeadLetter Letter(string owner, long at) =>
        new()
        {
            DeadLetterId = Guid.CreateVersion7(),
            At = at,
            FaultClass = FaultClasses.Terminal,
            Owner = owner,
            Topic = "job.exec.shell",
            Principal = "billing",
        };
}

public sealed class PostgresStoreFiguresTests() : StoreFiguresTests(StoreKind.Postgres)
{
    /// <summary>With scans switched off, PostgreSQL scans a table only if no index answers the query.</summary>
    [Fact]
    public async Task Every_count_of_the_status_has_an_index()
    {
        var services = new ServiceCollection();
        services.AddPostgresStore(Database.PostgresConnectionString + ";Options=-c enable_seqscan=off");
        await using var provider = services.BuildServiceProvider();
        await using var db = await provider.GetRequiredService<IDbContextFactory<DispatcherDb>>().CreateDbContextAsync(Stop);
        await db.Database.OpenConnectionAsync(Stop);
        var before = await ScansAsync(db);

        await StoreFigures.ReadAsync(db, 1, Stop);
        await StoreFigures.JobsAsync(db, 0, Stop);

        Assert.Equal(before, await ScansAsync(db));
        await db.Jobs.CountAsync(job => job.Reason == "", Stop);
        Assert.NotEqual(before, await ScansAsync(db));
    }

    private static async Task<string> ScansAsync(DispatcherDb db)
    {
        await db.Database.ExecuteSqlRawAsync("select pg_stat_force_next_flush()", Stop);
        return await db
            .Database.SqlQueryRaw<string>(
                """
                select string_agg(relname || ' ' || seq_scan, ', ' order by relname) as "Value" from pg_stat_user_tables
                where relname in ('jobs', 'approvals', 'outbox', 'dead_letters')
                """
            )
            .SingleAsync(Stop);
    }
}

public sealed class SqliteStoreFiguresTests() : StoreFiguresTests(StoreKind.Sqlite);
