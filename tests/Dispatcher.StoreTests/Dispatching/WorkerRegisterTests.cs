using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Storage.Rows;

namespace Dispatcher.StoreTests.Dispatching;

public abstract class WorkerRegisterTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Instance_is_listed_from_its_first_heartbeat_with_its_last_registration()
    {
        await using var writers = await Writers.OnAsync(Database);

        await writers.Workers.NoteAsync(Registration() with { Capacity = 3 }, "host/1", "worker-shell", Stop);
        var first = Assert.Single(await writers.Workers.ListAsync(Stop));
        await writers.Workers.NoteAsync(Registration() with { Capacity = 0, Version = "2" }, "host/1", "worker-shell", Stop);

        var last = Assert.Single(await writers.Workers.ListAsync(Stop));
        Assert.Equal((3, "1", true), (first.Capacity, first.Version, first.Serves(first.SeenAt)));
        Assert.Equal((0, "2", first.StartedAt, false), (last.Capacity, last.Version, last.StartedAt, last.Serves(last.SeenAt)));
        Assert.Equal(["job.exec.shell"], last.Topics);
    }

    [Fact]
    public async Task Concurrent_heartbeats_add_one_row_per_pool_and_instance()
    {
        await using var writers = await Writers.OnAsync(Database);

        await AtOnceAsync(
            16,
            async i =>
            {
                await writers.Workers.NoteAsync(
                    Registration() with
                    {
                        Pool = i % 2 == 0 ? "shell" : "repo",
                    },
                    $"host/{i % 4}",
                    "worker-shell",
                    Stop
                );
                return i;
            }
        );

        Assert.Equal(
            ["repo host/1", "repo host/3", "shell host/0", "shell host/2"],
            (await writers.Workers.ListAsync(Stop)).Select(worker => $"{worker.Pool} {worker.Instance}").Order()
        );
    }

    [Fact]
    public async Task Credential_of_two_instances_is_flagged_unless_both_register_it_as_shared()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.Workers.NoteAsync(Registration(), "host/1", "alone", Stop);
        await writers.Workers.NoteAsync(Registration() with { Pool = "repo" }, "host/1", "alone", Stop);
        await writers.Workers.NoteAsync(Registration() with { Shared = true }, "host/1", "declared", Stop);
        await writers.Workers.NoteAsync(Registration() with { Shared = true }, "host/2", "declared", Stop);
        await writers.Workers.NoteAsync(Registration() with { Shared = true }, "host/1", "undeclared", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/2", "undeclared", Stop);
        Assert.Empty(writers.SharedCredentialLogs);
        await writers.Workers.NoteAsync(Registration() with { Shared = true }, "host/1", "undeclared", Stop);
        await writers.Workers.NoteAsync(Registration() with { Shared = true }, "host/1", "undeclared", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/1", "replaced", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/2", "replaced", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/2", "replaced", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/1", "moved", Stop);
        await writers.Workers.NoteAsync(Registration() with { Capacity = 0 }, "host/1", "moved", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/2", "moved", Stop);

        Assert.Equal(["undeclared"], WorkerRegister.UnregisteredSharing(await writers.Workers.ListAsync(Stop), await Store.NowAsync(Stop)));
        Assert.Contains("undeclared", Assert.Single(writers.SharedCredentialLogs), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invented_instances_of_one_key_add_no_capacity_above_the_limit_of_one_instance()
    {
        await using var writers = await Writers.OnAsync(Database);
        await InventedAsync("stolen", capacity: 1_000);
        await writers.Workers.NoteAsync(Registration() with { Capacity = 3 }, "host/1", "honest", Stop);

        Assert.Equal(1_024 + 3, (await writers.Capacity.LoadAsync("shell", Stop)).Capacity);
        Assert.Null(await writers.Workers.NoteAsync(Registration(), "one more", "stolen", Stop));
        Assert.Null(await writers.Workers.NoteAsync(Registration() with { Pool = "repo" }, "invented/0", "stolen", Stop));
        Assert.NotNull(await writers.Workers.NoteAsync(Registration(), "invented/0", "stolen", Stop));
        Assert.Equal(WorkerRegister.MaxInstances, (await writers.Workers.ListAsync(Stop)).Count(worker => worker.Principal == "stolen"));
    }

    [Fact]
    public async Task Rows_of_one_key_are_limited_and_stale_rows_are_replaced()
    {
        await using var writers = await Writers.OnAsync(Database);
        var minuteAgo = await Store.NowAsync(Stop) - 60_000_000;
        await InventedAsync("stolen", capacity: 1, minuteAgo);
        await InventedAsync("other", capacity: 1, minuteAgo);

        Assert.NotNull(await writers.Workers.NoteAsync(Registration(), "one more", "stolen", Stop));

        var workers = await writers.Workers.ListAsync(Stop);
        Assert.Equal("one more", Assert.Single(workers, worker => worker.Principal == "stolen").Instance);
        Assert.Equal(WorkerRegister.MaxInstances, workers.Count(worker => worker.Principal == "other"));
    }

    [Fact]
    public async Task Shared_credential_is_logged_at_most_once_a_minute_with_five_instances()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.Workers.NoteAsync(Registration(), "host/0", "undeclared", Stop);
        for (var i = 1; i < 9; i++)
        {
            await writers.Workers.NoteAsync(Registration(), $"host/{i}", "undeclared", Stop);
        }

        for (var i = 9; i < 12; i++)
        {
            await writers.Workers.NoteAsync(Registration(), "host/0", "undeclared", Stop);
            await writers.Workers.NoteAsync(Registration(), $"host/{i}", "undeclared", Stop);
        }

        var log = Assert.Single(writers.SharedCredentialLogs);
        Assert.StartsWith("9 workers use the credential of undeclared", log, StringComparison.Ordinal);
        Assert.Equal(5, log.Split("host/").Length - 1);
    }

    [Theory]
    [InlineData("topics")]
    [InlineData("enforcers")]
    [InlineData("missing")]
    public async Task Unreadable_row_blocks_neither_its_pool_nor_the_lists(string column)
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.Workers.NoteAsync(Registration() with { Capacity = 3 }, "host/1", "honest", Stop);
        await writers.Workers.NoteAsync(Registration(), "host/2", "bad", Stop);
        // PostgreSQL refuses a value that is not an array, but does not check the elements.
        await Database.ExecuteAsync($"update workers set {column} = '[1]' where principal = 'bad'");

        var load = await writers.Capacity.LoadAsync("shell", Stop);
        var bad = (await writers.Workers.ListAsync(Stop)).Single(worker => worker.Principal == "bad");

        Assert.Equal(column == "missing" ? 3 : 4, load.Capacity);
        Assert.Equal(
            [column],
            new[] { ("topics", bad.Topics), ("enforcers", bad.Enforcers), ("missing", bad.Missing) }
                .Where(list => list.Item2.Contains("(unreadable)"))
                .Select(list => list.Item1)
        );
        Assert.NotNull(await writers.Workers.NoteAsync(Registration(), "host/2", "bad", Stop));
        Assert.Equal(4, (await writers.Capacity.LoadAsync("shell", Stop)).Capacity);
    }

    [Fact]
    public async Task Refused_registration_still_extends_the_leases_of_its_runs()
    {
        await using var writers = await Writers.OnAsync(Database);
        var heartbeats = new LeaseExtension(Store, writers.Workers, writers.Clock);
        var running = await RunningAsync(job => job with { RunUntil = long.MaxValue / 2, HeartbeatUs = 5_000_000 });
        await InventedAsync("worker-key", capacity: 1);
        var request = new HeartbeatRequest
        {
            Worker = "one more",
            Registration = Registration(),
            Runs = [],
        };
        var answer = await heartbeats.ExtendLeasesAsync(
            request with
            {
                Runs = [new Run { JobId = running.JobId, RunId = running.RunId!.Value }],
            },
            "worker-key",
            Stop
        );

        Assert.Empty(answer!.Fenced);
        Assert.Null(await heartbeats.ExtendLeasesAsync(request, "worker-key", Stop));
    }

    [Fact]
    public async Task Worker_that_drops_all_deliveries_has_no_capacity_until_it_tries_again()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.Workers.NoteAsync(Registration() with { Capacity = 3 }, "host/1", "old", Stop);
        await writers.Workers.NoteAsync(
            Registration() with
            {
                Capacity = 3,
                Dropped = 3,
                Dropping = "unreadable_body",
            },
            "host/1",
            "old",
            Stop
        );

        var dropping = await writers.Capacity.LoadAsync("shell", Stop);
        var problem = Assert.Single((await new WorkerProblems(Database.Contexts, writers.Clock).ReadAsync(Stop)).Problems);
        await writers.Workers.NoteAsync(Registration() with { Capacity = 3, Dropped = 3 }, "host/1", "old", Stop);

        Assert.Equal((0, 0, "unreadable_body"), (dropping.Workers, dropping.Capacity, dropping.Dropping));
        Assert.Contains("unreadable_body", PoolView.Of(dropping, waiting: 1, limit: null).Note, StringComparison.Ordinal);
        Assert.Contains("worker host/1 of pool shell cannot use its deliveries (unreadable_body)", problem, StringComparison.Ordinal);
        Assert.Equal(3, (await writers.Capacity.LoadAsync("shell", Stop)).Capacity);
        Assert.Empty((await new WorkerProblems(Database.Contexts, writers.Clock).ReadAsync(Stop)).Problems);
    }

    [Fact]
    public async Task Clock_offset_of_a_worker_is_stored_and_a_large_one_is_reported()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.Workers.NoteAsync(Registration() with { ClockAheadMs = 600_000 }, "host/1", "ahead", Stop);
        await writers.Workers.NoteAsync(Registration() with { ClockAheadMs = -600_000 }, "host/2", "behind", Stop);
        await writers.Workers.NoteAsync(Registration() with { ClockAheadMs = 900 }, "host/3", "near", Stop);

        var problems = (await new WorkerProblems(Database.Contexts, writers.Clock).ReadAsync(Stop)).Problems;

        Assert.Equal(
            [
                "the clock of worker host/1 of pool shell is 600.0 s ahead; set the clock of its machine",
                "the clock of worker host/2 of pool shell is 600.0 s behind; set the clock of its machine",
            ],
            problems
        );
        Assert.Equal(
            [600_000, -600_000, 900],
            (await writers.Workers.ListAsync(Stop)).OrderBy(worker => worker.Instance).Select(worker => worker.ClockAheadMs)
        );
    }

    [Fact]
    public async Task Heartbeat_answer_contains_the_time_of_the_database()
    {
        await using var writers = await Writers.OnAsync(Database);
        var before = await Store.NowAsync(Stop);

        var answer = await new LeaseExtension(Store, writers.Workers, writers.Clock).ExtendLeasesAsync(
            new HeartbeatRequest
            {
                Worker = "host/1",
                Registration = Registration(),
                Runs = [],
            },
            "worker-shell",
            Stop
        );

        Assert.InRange(answer!.Now!.Value, Timestamps.At(before).AddSeconds(-2), Timestamps.At(await Store.NowAsync(Stop)).AddSeconds(2));
    }

    /// <summary>
    /// Adds the maximum number of instances of one key. By default, they do not become stale during the test.
    /// </summary>
    private async Task InventedAsync(string principal, int capacity, long seenAt = long.MaxValue / 2)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        db.Workers.AddRange(
            Enumerable
                .Range(0, WorkerRegister.MaxInstances)
                .Select(i => new KnownWorker
                {
                    Pool = "shell",
                    Principal = principal,
                    Instance = $"invented/{i}",
                    Version = "1",
                    Topics = [],
                    Enforcers = [],
                    Missing = [],
                    Capacity = capacity,
                    Shared = true,
                    SeenAt = seenAt,
                })
        );
        await db.SaveChangesAsync(Stop);
    }

    private static WorkerRegistration Registration() =>
        new()
        {
            Pool = "shell",
            Version = "1",
            Topics = ["job.exec.shell"],
            Enforcers = ["timeout_ms"],
            Capacity = 1,
        };
}

public sealed class PostgresWorkerRegisterTests() : WorkerRegisterTests(StoreKind.Postgres);

public sealed class SqliteWorkerRegisterTests() : WorkerRegisterTests(StoreKind.Sqlite);
