using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Recovery;
using Dispatcher.Storage.Rows;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>The line of a pool: who is next, who may take, and how much a pool has room for.</summary>
public abstract class BacklogTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task The_next_are_those_that_are_ready_of_this_pool_in_the_order_of_their_time()
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
    public async Task What_was_dispatched_is_in_line_no_more_and_what_came_back_has_its_old_place()
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
    public async Task Large_payloads_leave_in_smaller_turns_and_each_turn_has_one_at_least()
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
    public async Task Whoever_stands_still_holds_nobody_up_for_ever()
    {
        if (Kind == StoreKind.Sqlite)
        {
            Assert.Skip("One process has the file; it lets one of its own in at a time.");
        }

        await using var still = await Store.LockPoolAsync("shell", TimeSpan.FromMilliseconds(300), Stop);

        await (await Store.LockPoolAsync("shell", Minute, Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop)).DisposeAsync();
    }

    [Fact]
    public async Task One_at_a_time_takes_from_a_line_and_nobody_waits_for_another_pool()
    {
        if (Kind == StoreKind.Sqlite)
        {
            Assert.Skip("One process has the file; it lets one of its own in at a time.");
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
    public async Task A_pool_has_what_its_live_workers_have_and_runs_of_others_take_no_place()
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
        Assert.Equal(0, writers.Capacity.MaxJobs("nobody", await writers.Capacity.FreeSlotsAsync("nobody", Stop)));
    }

    [Fact]
    public async Task An_instance_has_only_the_runs_that_its_own_principal_claimed_and_they_are_as_old_as_their_claim()
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

        // Though the last one that ended was quick, the old one may not end in half of the time to start.
        var quick = await RunningAsync();
        writers.Capacity.Ended(new Move(quick, quick with { State = JobState.Succeeded }));
        await writers.BundleAsync("job.exec.shell: { pool: shell, owner: team, timeouts: { start: 60s } }", Store, Stop);
        Assert.Equal(6, writers.Capacity.MaxJobs("shell", await writers.Capacity.FreeSlotsAsync("shell", Stop)));
    }

    [Fact]
    public async Task A_pool_whose_last_run_was_short_is_given_more_than_it_can_begin_also_while_nothing_runs()
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
    public async Task Only_faults_that_speak_against_what_the_pool_calls_limit_it(
        string type,
        string? code,
        string? faultClass,
        bool limits
    )
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
    public async Task Jobs_that_stand_in_the_wrong_line_are_sorted_when_another_bundle_is_in_force()
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

    [Fact]
    public async Task The_last_attempt_of_a_lost_job_is_suspected_and_lets_nobody_go_beside_it()
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
    public async Task Only_attempts_that_came_to_nothing_and_whose_reason_may_be_anothers_limit_a_pool(
        JobState to,
        int spent,
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
                        FailedAttempts = spent,
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

public sealed class PostgresBacklogTests() : BacklogTests(StoreKind.Postgres);

public sealed class SqliteBacklogTests() : BacklogTests(StoreKind.Sqlite);
