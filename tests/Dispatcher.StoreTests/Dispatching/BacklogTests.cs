using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>The backlog of a pool: its order, its batches and the lock of its pool.</summary>
public abstract class BacklogTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Backlog_lists_the_ready_jobs_of_its_pool_in_order_of_ready_time()
    {
        await using var writers = await Writers.OnAsync(Database);
        var now = await Store.NowAsync(Stop);
        foreach (
            var (reason, readyAt, pool, state) in new[]
            {
                ("third", now - 10, "shell", JobState.Accepted),
                ("first", now - 30, "shell", JobState.Accepted),
                ("held", now - 40, "shell", JobState.Held),
                ("other", now - 50, "repo", JobState.Accepted),
                ("later", now + 60_000_000, "shell", JobState.Accepted),
                ("second", now - 20, "shell", JobState.Accepted),
            }
        )
        {
            await StoredAsync(AJob.New() with { Reason = reason, ReadyAt = readyAt, Pool = pool, State = state });
        }

        Assert.Equal(["first", "second", "third"], (await writers.Backlog.NextAsync("shell", 10, Stop)).Jobs.Select(job => job.Reason));
        Assert.Equal(["first", "second"], (await writers.Backlog.NextAsync("shell", 2, Stop)).Jobs.Select(job => job.Reason));
    }

    [Fact]
    public async Task Returned_job_keeps_its_place_in_the_backlog()
    {
        await using var writers = await Writers.OnAsync(Database);
        var first = await StoredAsync(AJob.New() with { Reason = "first", ReadyAt = 1 });
        await StoredAsync(AJob.New() with { Reason = "second", ReadyAt = 2 });
        await MovedAsync(new Move(first, first with { State = JobState.Dispatched, Attempt = 1 }));
        Assert.Equal(["second"], (await writers.Backlog.NextAsync("shell", 10, Stop)).Jobs.Select(job => job.Reason));

        var dispatched = await JobAsync(first.JobId);
        await MovedAsync(new Move(dispatched, dispatched with { State = JobState.Accepted }));

        Assert.Equal(["first", "second"], (await writers.Backlog.NextAsync("shell", 10, Stop)).Jobs.Select(job => job.Reason));
    }

    [Fact]
    public async Task Large_payloads_make_smaller_batches_of_at_least_one_job()
    {
        await using var writers = await Writers.OnAsync(Database);
        var payload = $"\"{new string('x', 1_500_000)}\"";
        foreach (var at in Enumerable.Range(1, 5))
        {
            await StoredAsync(AJob.New(payload: payload) with { Reason = $"{at}", ReadyAt = at });
        }

        await StoredAsync(AJob.New(payload: $"\"{new string('y', 6_000_000)}\"") with { Reason = "huge", ReadyAt = 1, Pool = "other" });

        var next = await writers.Backlog.NextAsync("shell", 10, Stop);

        Assert.Equal(["1", "2"], next.Jobs.Select(job => job.Reason));
        Assert.True(next.MayBeMore);
        Assert.Equal(["huge"], (await writers.Backlog.NextAsync("other", 10, Stop)).Jobs.Select(job => job.Reason));
    }

    [Fact]
    public async Task Pool_lock_expires()
    {
        if (Kind == StoreKind.Sqlite)
        {
            Assert.Skip("Only one process uses the SQLite file; it serializes the dispatch of a pool in memory.");
        }

        await using var expiring = await Store.LockPoolAsync("shell", TimeSpan.FromMilliseconds(300), Stop);

        await (await Store.LockPoolAsync("shell", Minute, Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop)).DisposeAsync();
    }

    [Fact]
    public async Task Pool_lock_has_one_holder_and_does_not_block_other_pools()
    {
        if (Kind == StoreKind.Sqlite)
        {
            Assert.Skip("Only one process uses the SQLite file; it serializes the dispatch of a pool in memory.");
        }

        var held = await Store.LockPoolAsync("shell", Minute, Stop);
        var second = Store.LockPoolAsync("shell", Minute, Stop);
        await using (await Store.LockPoolAsync("repo", Minute, Stop))
        {
            Assert.False(second.IsCompleted);
        }

        await held.DisposeAsync();
        await (await second.WaitAsync(TimeSpan.FromSeconds(10), Stop)).DisposeAsync();
    }

    [Fact]
    public async Task Jobs_move_to_the_backlog_of_another_pool_when_the_bundle_in_force_moves_their_topic()
    {
        await using var writers = await Writers.OnAsync(Database);
        await StoredAsync(AJob.New());
        var held = await StoredAsync(AJob.New() with { State = JobState.Held });
        await writers.BundleAsync("job.exec.shell: { pool: moved, owner: team }", Store, Stop);

        Assert.Equal(["moved"], await writers.Backlog.ReadyAsync(Stop));
        Assert.Equal("moved", (await JobAsync(held.JobId)).Pool);
        Assert.False(writers.Capacity.IsOfPool("shell", held));
        Assert.True(writers.Capacity.IsOfPool("moved", held));
    }
}

public sealed class PostgresBacklogTests() : BacklogTests(StoreKind.Postgres);

public sealed class SqliteBacklogTests() : BacklogTests(StoreKind.Sqlite);
