using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Recovery;

namespace Dispatcher.StoreTests.Recovery;

/// <summary>Outcomes that come once, twice, late, and while the bundle cannot be read.</summary>
public abstract class OutcomeTests(StoreKind kind) : StoreTest(kind)
{
    private const string Topic = "job.exec.shell: { pool: shell, owner: team, idempotent: true }";

    [Fact]
    public async Task Repeated_fault_is_recorded_once()
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync();
        await writers.BundleAsync(Topic, Store, Stop);

        await writers.Recovery.RecordAsync([Faulted(running)], "worker-key", Stop);
        await writers.Recovery.RecordAsync([Faulted(running)], "worker-key", Stop);

        Assert.Equal((JobState.Retrying, 1), ((await JobAsync(running.JobId)).State, (await JobAsync(running.JobId)).FailedAttempts));
        Assert.Single(await TimelineAsync(running.JobId), entry => entry.Kind == "faulted");
        Assert.DoesNotContain(await TimelineAsync(running.JobId), entry => entry.Kind == "late_outcome");
    }

    [Theory]
    [InlineData(false, JobState.Retrying)]
    [InlineData(true, JobState.Cancelled)]
    public async Task Outcome_of_a_fenced_run_is_kept_on_the_timeline(bool cancelled, JobState state)
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync(job => job with { RunUntil = 1, CancelRequested = cancelled });
        await writers.BundleAsync(Topic, Store, Stop);
        await MovedAsync(Sweep.Repair(running, await writers.ContextAsync(Stop))!);

        await writers.Recovery.RecordAsync([Faulted(running)], "worker-key", Stop);

        Assert.Equal(state, (await JobAsync(running.JobId)).State);
        Assert.Single(await TimelineAsync(running.JobId), entry => entry.Kind == "late_outcome");
    }

    [Fact]
    public async Task Late_outcomes_of_a_worker_cannot_fill_the_timeline()
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync(job => job with { RunUntil = 1 });
        await writers.BundleAsync(Topic, Store, Stop);
        await MovedAsync(Sweep.Repair(running, await writers.ContextAsync(Stop))!);

        await writers.Recovery.RecordAsync(
            [.. Enumerable.Range(0, 50).Select(i => Faulted(running) with { Attempt = 100 + i, RunId = Guid.CreateVersion7() })],
            "worker-key",
            Stop
        );

        Assert.Equal(20, (await TimelineAsync(running.JobId)).Count(entry => entry.Kind == "late_outcome"));
    }

    [Fact]
    public async Task Late_outcomes_of_one_message_are_logged_once_and_a_repeated_one_is_recorded_once()
    {
        await using var writers = await Writers.OnAsync(Database);
        var (one, other) = (await RunningAsync(), await RunningAsync());
        var (first, second) = (Faulted(one) with { RunId = Guid.CreateVersion7() }, Faulted(other) with { RunId = Guid.CreateVersion7() });

        await writers.Recovery.RecordAsync([.. Enumerable.Repeat(first, 8), .. Enumerable.Repeat(second, 8)], "worker-key", Stop);
        await writers.Recovery.RecordAsync([.. Enumerable.Repeat(first, 8)], "another-key", Stop);

        Assert.Single(await TimelineAsync(one.JobId), entry => entry.Kind == "late_outcome");
        Assert.Single(await TimelineAsync(other.JobId), entry => entry.Kind == "late_outcome");
        Assert.Equal(2, writers.LateOutcomeLogs.Count);
        Assert.Contains("Did not apply 2 late outcome(s)", writers.LateOutcomeLogs.First(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Outcome_repeated_in_one_message_is_applied_once()
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync();
        await writers.BundleAsync(Topic, Store, Stop);

        await writers.Recovery.RecordAsync([.. Enumerable.Repeat(Faulted(running), 256)], "worker-key", Stop);

        Assert.Equal((JobState.Retrying, 1), ((await JobAsync(running.JobId)).State, (await JobAsync(running.JobId)).FailedAttempts));
        Assert.Single(await TimelineAsync(running.JobId), entry => entry.Kind == "faulted");
        Assert.Empty(writers.LateOutcomeLogs);
    }

    [Fact]
    public async Task Fault_waits_for_a_readable_bundle_and_a_success_does_not()
    {
        await using var writers = await Writers.OnAsync(Database);
        var (failed, done) = (await RunningAsync(), await RunningAsync());

        await Assert.ThrowsAsync<BundleUnavailableException>(() =>
            writers.Recovery.RecordAsync(
                [Faulted(failed), Faulted(done) with { Kind = OutcomeKind.Succeeded, Fault = null }],
                "worker-key",
                Stop
            )
        );

        Assert.Equal((JobState.Running, JobState.Succeeded), ((await JobAsync(failed.JobId)).State, (await JobAsync(done.JobId)).State));
        await writers.BundleAsync(Topic, Store, Stop);
        await writers.Recovery.RecordAsync([Faulted(failed)], "worker-key", Stop);
        Assert.Equal(JobState.Retrying, (await JobAsync(failed.JobId)).State);
    }

    [Fact]
    public async Task Unclaimed_attempt_publishes_no_fault_after_an_earlier_failed_one()
    {
        await using var writers = await Writers.OnAsync(Database);
        var running = await RunningAsync();
        await writers.BundleAsync(Topic, Store, Stop);
        await writers.Recovery.RecordAsync([Faulted(running)], "worker-key", Stop);
        var published = (await OutboxAsync()).Count(message => message.RoutingKey.StartsWith("faulted.", StringComparison.Ordinal));
        var retrying = await JobAsync(running.JobId);
        var context = await writers.ContextAsync(Stop);
        await MovedAsync(new Move(retrying, retrying with { State = JobState.Dispatched, Attempt = 2, PolicyHash = context.Bundle!.Hash }));

        await writers.Moves.AddAsync(Sweep.Repair(await JobAsync(running.JobId), context)!, Stop);

        Assert.Equal(
            (JobState.Retrying, 1, 1),
            (
                (await JobAsync(running.JobId)).State,
                published,
                (await OutboxAsync()).Count(message => message.RoutingKey.StartsWith("faulted.", StringComparison.Ordinal))
            )
        );
    }

    [Fact]
    public async Task Outcome_refused_by_the_database_is_a_terminal_fault_of_its_job_alone()
    {
        await using var writers = await Writers.OnAsync(Database);
        var (before, bad, after) = (await RunningAsync(), await RunningAsync(), await RunningAsync());
        await writers.BundleAsync(Topic, Store, Stop);
        await RefuseAsync("\"bad\"");

        await writers.Recovery.RecordAsync([Succeeded(before, "1"), Succeeded(bad, "\"bad\""), Succeeded(after, "2")], "worker-key", Stop);

        Assert.Equal((JobState.Succeeded, JobState.Succeeded), ((await JobAsync(before.JobId)).State, (await JobAsync(after.JobId)).State));
        var ended = await JobAsync(bad.JobId);
        Assert.Equal(
            (JobState.DeadLettered, "terminal", "bad_result", null),
            (ended.State, ended.FaultClass, ended.Fault!.Code, ended.Result)
        );
    }

    /// <summary>Lets the database refuse this result, like one that it cannot store.</summary>
    private Task RefuseAsync(string result) =>
        Database.ExecuteAsync(
            Kind == StoreKind.Postgres
                ? $"alter table jobs add constraint refused check (result <> '{result}'::bytea)"
                : $"create trigger refused before update on jobs when new.result = cast('{result}' as blob) "
                    + "begin select raise(abort, 'refused'); end"
        );

    private static AttemptOutcome Succeeded(Job job, string result) =>
        Faulted(job) with
        {
            Kind = OutcomeKind.Succeeded,
            Fault = null,
            Result = System.Text.Json.JsonSerializer.Deserialize<System.Text.Json.JsonElement>(result),
        };

    private static AttemptOutcome Faulted(Job job) =>
        new()
        {
            JobId = job.JobId,
            Attempt = job.Attempt,
            RunId = job.RunId!.Value,
            PermitId = Guid.CreateVersion7(),
            Worker = "host/1",
            StartedAt = DateTimeOffset.UnixEpoch,
            EndedAt = DateTimeOffset.UnixEpoch,
            Kind = OutcomeKind.Faulted,
            Fault = new Fault
            {
                Class = "transient",
                Type = "E",
                Message = "It broke.",
            },
        };
}

public sealed class PostgresOutcomeTests() : OutcomeTests(StoreKind.Postgres);

public sealed class SqliteOutcomeTests() : OutcomeTests(StoreKind.Sqlite);
