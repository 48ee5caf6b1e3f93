using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Workers;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>The line of a pool: who is next, who may take, and how much a pool has room for.</summary>
public abstract class LineTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task The_next_are_those_that_are_ready_of_this_pool_in_the_order_of_their_time()
    {
        await using var writers = await Writers.OnAsync(Database);
        var now = await Store.NowAsync(Stop);
        foreach (var (reason, readyAt, pool, state) in new[]
        {
            ("third", now - 10, "shell", JobState.Accepted), ("first", now - 30, "shell", JobState.Accepted), ("held", now - 40, "shell", JobState.Held),
            ("other", now - 50, "repo", JobState.Accepted), ("later", now + 60_000_000, "shell", JobState.Accepted), ("second", now - 20, "shell", JobState.Accepted),
        })
        {
            await StoredAsync(AJob.New() with { Reason = reason, ReadyAt = readyAt, Pool = pool, State = state });
        }

        Assert.Equal(["first", "second", "third"], (await writers.Lines.NextAsync("shell", 10, Stop)).Select(job => job.Reason));
        Assert.Equal(["first", "second"], (await writers.Lines.NextAsync("shell", 2, Stop)).Select(job => job.Reason));
    }

    [Fact]
    public async Task What_was_dispatched_is_in_line_no_more_and_what_came_back_has_its_old_place()
    {
        await using var writers = await Writers.OnAsync(Database);
        var first = await StoredAsync(AJob.New() with { Reason = "first", ReadyAt = 1 });
        await StoredAsync(AJob.New() with { Reason = "second", ReadyAt = 2 });
        await MovedAsync(new Move(first, first with { State = JobState.Dispatched, Attempt = 1 }));
        Assert.Equal(["second"], (await writers.Lines.NextAsync("shell", 10, Stop)).Select(job => job.Reason));

        var dispatched = await JobAsync(first.JobId);
        await MovedAsync(new Move(dispatched, dispatched with { State = JobState.Accepted }));

        Assert.Equal(["first", "second"], (await writers.Lines.NextAsync("shell", 10, Stop)).Select(job => job.Reason));
    }

    [Fact]
    public async Task Whoever_stands_still_holds_nobody_up_for_ever()
    {
        if (Kind == StoreKind.Sqlite)
        {
            Assert.Skip("One process has the file; it lets one of its own in at a time.");
        }

        await using var still = await Store.HoldLineAsync("shell", TimeSpan.FromMilliseconds(300), Stop);

        await (await Store.HoldLineAsync("shell", Minute, Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop)).DisposeAsync();
    }

    [Fact]
    public async Task One_at_a_time_takes_from_a_line_and_nobody_waits_for_another_pool()
    {
        if (Kind == StoreKind.Sqlite)
        {
            Assert.Skip("One process has the file; it lets one of its own in at a time.");
        }

        var held = await Store.HoldLineAsync("shell", Minute, Stop);
        var second = Store.HoldLineAsync("shell", Minute, Stop);
        await using (await Store.HoldLineAsync("repo", Minute, Stop))
        {
            Assert.False(second.IsCompleted);
        }

        await held.DisposeAsync();
        await (await second.WaitAsync(TimeSpan.FromSeconds(10), Stop)).DisposeAsync();
    }

    [Fact]
    public async Task A_pool_has_what_its_live_workers_have_and_runs_of_others_take_no_place()
    {
        await using var writers = await Writers.OnAsync(Database);
        var now = await Store.NowAsync(Stop);
        await AddAsync(
            Worker("a", 8, now), Worker("b", 4, now - 14_000_000), Worker("stale", 100, now - 16_000_000), Worker("stopped", 0, now),
            Worker("lacking", 100, now) with { Missing = ["allowed_hosts"] }, Worker("elsewhere", 100, now) with { Pool = "repo" });
        await RunningAsync(job => job with { Worker = "a" });
        await RunningAsync(job => job with { Worker = "stale" });
        var waiting = await StoredAsync(AJob.New());
        await MovedAsync(new Move(waiting, waiting with { State = JobState.Dispatched, Attempt = 1 }));

        Assert.Equal(new PoolLoad(2, 12, 1, 1), await writers.Window.LoadAsync("shell", Stop));
        Assert.Equal(10, writers.Window.MostOf("shell", await writers.Window.RoomAsync("shell", Stop)));
        Assert.Equal(0, writers.Window.MostOf("nobody", await writers.Window.RoomAsync("nobody", Stop)));
    }

    private async Task AddAsync(params KnownWorker[] workers)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        db.Workers.AddRange(workers);
        await db.SaveChangesAsync(Stop);
    }

    private static KnownWorker Worker(string instance, int capacity, long seenAt) => new()
    {
        Pool = "shell",
        Principal = "worker-" + instance,
        Instance = instance,
        Version = "1",
        Topics = ["job.exec.shell"],
        Enforcers = ["timeout_ms"],
        Missing = [],
        Capacity = capacity,
        Shared = false,
        StartedAt = seenAt,
        SeenAt = seenAt,
    };
}

public sealed class PostgresLineTests() : LineTests(StoreKind.Postgres);

public sealed class SqliteLineTests() : LineTests(StoreKind.Sqlite);
