using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Recovery;
using Dispatcher.Storage.Rows;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>The capacity of a pool: its live workers, their runs, and the limits by failed attempts and by suspect jobs.</summary>
public abstract class PoolCapacityTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Capacity_counts_live_workers_and_ignores_runs_of_other_workers()
    {
        await using var writers = await Writers.OnAsync(Database);
        var now = await Store.NowAsync(Stop);
        await AddAsync(
            Worker("a", 8, now),
            Worker("b", 4, now - 14_000_000),
            Worker("stale", 100, now - 16_000_000),
            Worker("stopped", 0, now),
            Worker("lacking", 100, now) with
            {
                Missing = ["allowed_hosts"],
            },
            Worker("elsewhere", 100, now) with
            {
                Pool = "repo",
            }
        );
        await RunningAsync(job => job with { Worker = "a", ClaimedBy = "worker-a" });
        await RunningAsync(job => job with { Worker = "stale", ClaimedBy = "worker-stale" });
        var waiting = await StoredAsync(AJob.New());
        await MovedAsync(new Move(waiting, waiting with { State = JobState.Dispatched, Attempt = 1 }));

        Assert.Equal(new PoolLoad(2, 12, 1, 1), await writers.Capacity.LoadAsync("shell", Stop));
        Assert.Equal(10, writers.Capacity.MaxJobs("shell", await writers.Capacity.FreeSlotsAsync("shell", Stop)));
        Assert.Equal(0, writers.Capacity.MaxJobs("unknown", await writers.Capacity.FreeSlotsAsync("unknown", Stop)));
    }

    [Fact]
    public async Task Load_counts_the_runs_that_the_principal_of_an_instance_claimed_and_their_age()
    {
        await using var writers = await Writers.OnAsync(Database);
        var now = await Store.NowAsync(Stop);
        await AddAsync(Worker("a", 8, now));
        foreach (var (principal, seconds) in new[] { ("worker-a", 30), ("worker-a", 10), ("another", 90) })
        {
            await RunningAsync(job =>
                job with
                {
                    Worker = "a",
                    ClaimedBy = principal,
                    RunLimitUs = 120_000_000,
                    RunUntil = now + 120_000_000 - (seconds * 1_000_000L),
                }
            );
        }

        var load = await writers.Capacity.LoadAsync("shell", Stop);

        Assert.Equal(2, load.Running);
        Assert.InRange(load.OldestRun!.Value.TotalSeconds, 30, 60);

        // The last ended run was quick, but the oldest run may not end within half of the start timeout.
        var quick = await RunningAsync();
        writers.Capacity.Ended(new Move(quick, quick with { State = JobState.Succeeded }));
        await writers.BundleAsync("job.exec.shell: { pool: shell, owner: team, timeouts: { start: 60s } }", Store, Stop);
        Assert.Equal(6, writers.Capacity.MaxJobs("shell", await writers.Capacity.FreeSlotsAsync("shell", Stop)));
    }

    [Fact]
    public async Task Idle_pool_whose_last_run_was_short_gets_more_jobs_than_it_can_start_at_once()
    {
        await using var writers = await Writers.OnAsync(Database);
        await AddAsync(Worker("a", 8, await Store.NowAsync(Stop)));
        var quick = await RunningAsync();
        await writers.BundleAsync("job.exec.shell: { pool: shell, owner: team, timeouts: { start: 60s } }", Store, Stop);
        Assert.Equal(8, writers.Capacity.MaxJobs("shell", await writers.Capacity.FreeSlotsAsync("shell", Stop)));

        writers.Capacity.Ended(new Move(quick, quick with { State = JobState.Succeeded }));

        Assert.Equal(32, writers.Capacity.MaxJobs("shell", await writers.Capacity.FreeSlotsAsync("shell", Stop)));
    }

    [Theory]
    [InlineData("System.FormatException", null, null, false)]
    [InlineData("System.Collections.Generic.KeyNotFoundException", null, null, false)]
    [InlineData("System.InvalidOperationException", null, null, false)]
    [InlineData("KeyError", null, null, false)]
    [InlineData("any", "bad_order", "terminal", false)]
    [InlineData("bad_result", "bad_result", "terminal", false)]
    [InlineData("any", "http:404", null, false)]
    [InlineData("any", "worker_stopping", null, false)]
    [InlineData("any", "in_doubt", "terminal", false)]
    [InlineData("any", "http:503", null, true)]
    [InlineData("any", "busy", "transient", true)]
    [InlineData("any", "timeout", null, true)]
    [InlineData("System.Net.Sockets.SocketException", null, null, true)]
    public async Task Only_faults_of_the_systems_that_a_pool_calls_limit_it(string type, string? code, string? faultClass, bool limits)
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync(job => job with { RunUntil = long.MaxValue / 2, RunLimitUs = 1 });
        await writers.BundleAsync("job.exec.shell: { pool: shell, owner: team, idempotent: true }", Store, Stop);
        var context = await writers.ContextAsync(Stop);
        var outcome = new AttemptOutcome
        {
            JobId = running.JobId,
            Attempt = 1,
            RunId = running.RunId!.Value,
            Worker = "host/1",
            PermitId = Guid.Empty,
            Kind = OutcomeKind.Faulted,
            Fault = new Fault
            {
                Class = faultClass,
                Type = type,
                Code = code,
                Message = "m",
            },
            StartedAt = DateTimeOffset.UnixEpoch,
            EndedAt = DateTimeOffset.UnixEpoch,
        };

        for (var i = 0; i < 50; i++)
        {
            writers.Capacity.Ended(RecoveryMoves.Of(running, outcome, context));
        }

        Assert.Equal(limits, writers.Capacity.LimitOf("shell") is not null);
    }

    [Fact]
    public async Task Last_attempt_of_a_lost_job_is_suspect_and_runs_alone()
    {
        await using var writers = await Writers.OnAsync(Database);
        var elsewhere = await RunningAsync(job =>
            job with
            {
                Worker = "gone",
                ClaimedBy = "worker-a",
                FaultClass = "lost",
                FailedAttempts = 2,
            }
        );
        await writers.BundleAsync("job.exec.shell: { pool: shell, owner: team, idempotent: true, max_attempts: 3 }", Store, Stop);
        await AddAsync(Worker("a", 8, await Store.NowAsync(Stop)));
        var suspect = AJob.New() with { FaultClass = "lost", FailedAttempts = 2 };
        var other = AJob.New() with { FaultClass = "lost", FailedAttempts = 1 };
        Assert.Equal([suspect], writers.Capacity.Next([suspect, other], await writers.Capacity.FreeSlotsAsync("shell", Stop)));
        Assert.Equal([other], writers.Capacity.Next([other, suspect], await writers.Capacity.FreeSlotsAsync("shell", Stop)));

        await MovedAsync(new Move(elsewhere, elsewhere with { Worker = "a" }));

        Assert.True((await writers.Capacity.LoadAsync("shell", Stop)).HasSuspect);
        Assert.Equal(0, writers.Capacity.MaxJobs("shell", await writers.Capacity.FreeSlotsAsync("shell", Stop)));
    }

    [Theory]
    [InlineData(JobState.DeadLettered, 1, "transient", null, 1)]
    [InlineData(JobState.Retrying, 1, "lost", "worker_lost", 1)]
    [InlineData(JobState.Retrying, 1, "timeout", "timeout", 1)]
    [InlineData(JobState.DeadLettered, 1, "terminal", "http:404", null)]
    [InlineData(JobState.Retrying, 1, "transient", "worker_stopping", null)]
    [InlineData(JobState.Retrying, 0, "transient", null, null)]
    [InlineData(JobState.Cancelled, 0, null, null, null)]
    [InlineData(JobState.Succeeded, 0, null, null, null)]
    public async Task Only_failed_attempts_with_a_cause_outside_the_job_limit_a_pool(
        JobState to,
        int failedAttempts,
        string? faultClass,
        string? code,
        int? limit
    )
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync();
        for (var i = 0; i < 4; i++)
        {
            writers.Capacity.Ended(
                new Move(
                    running,
                    running with
                    {
                        State = to,
                        FailedAttempts = failedAttempts,
                        FaultClass = faultClass,
                        Fault = code is null
                            ? null
                            : new Fault
                            {
                                Type = "E",
                                Message = "m",
                                Code = code,
                            },
                    }
                )
            );
        }

        Assert.Equal(limit, writers.Capacity.LimitOf("shell"));
    }

    private async Task AddAsync(params KnownWorker[] workers)
    {
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        db.Workers.AddRange(workers);
        await db.SaveChangesAsync(Stop);
    }

    private static KnownWorker Worker(string instance, int capacity, long seenAt) =>
        new()
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

public sealed class PostgresPoolCapacityTests() : PoolCapacityTests(StoreKind.Postgres);

public sealed class SqlitePoolCapacityTests() : PoolCapacityTests(StoreKind.Sqlite);
