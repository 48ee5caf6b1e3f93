using Dispatcher.Api;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Recovery;

namespace Dispatcher.StoreTests.Dispatching;

/// <summary>The dispatch of a job, also when the bundle changes between its decision and its commit.</summary>
public abstract class DispatchTests(StoreKind kind) : StoreTest(kind)
{
    private const string Topic = "job.exec.shell: { pool: shell, owner: team }";
    private const string Allow = "{ id: all, match: { topic: job.exec.shell }, decision: ALLOW }";

    [Fact]
    public async Task Job_is_dispatched_when_the_bundle_in_force_allows_it()
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await writers.BundleAsync(Topic, Store, Stop, Allow);

        await writers.DispatchAsync(job, Stop);

        Assert.Equal((JobState.Dispatched, 1), ((await JobAsync(job.JobId)).State, (await JobAsync(job.JobId)).Attempt));
    }

    /// <summary>A short outage of the workers must not turn every job into a retry.</summary>
    [Fact]
    public async Task Rules_count_failed_attempts_and_not_unclaimed_or_returned_ones()
    {
        const string Again = "{ id: again, match: { topic: job.exec.shell, attempt_gte: 2 }, decision: DENY, reason: a second try }";
        await using var writers = await Writers.OnAsync(Database);
        var stored = await StoredAsync(AJob.New());
        await writers.BundleAsync(
            Topic.Replace("team }", "team, idempotent: true }", StringComparison.Ordinal),
            Store,
            Stop,
            $"{Allow}, {Again}"
        );
        await writers.DispatchAsync(stored, Stop);
        await MovedAsync(RecoveryMoves.Unclaimed(await JobAsync(stored.JobId), await writers.ContextAsync(Stop)));

        var unclaimed = await JobAsync(stored.JobId);
        Assert.Equal(
            (JobState.Accepted, 1, Verdict.Allow),
            (unclaimed.State, unclaimed.Attempt, (await writers.EvaluateAsync(unclaimed, Stop)).Decision.Verdict)
        );
        await writers.DispatchAsync(unclaimed, Stop);
        var dispatched = await JobAsync(stored.JobId);
        var running = dispatched with
        {
            State = JobState.Running,
            RunId = Guid.CreateVersion7(),
            ClaimedBy = "worker-key",
            RunUntil = long.MaxValue / 2,
        };
        await MovedAsync(new Move(dispatched, running));
        await MovedAsync(
            RecoveryMoves.Of(await JobAsync(stored.JobId), AnOutcome(running, OutcomeKind.Returned), await writers.ContextAsync(Stop))
        );

        var returned = await JobAsync(stored.JobId);
        Assert.Equal((2, Verdict.Allow), (returned.Attempt, (await writers.EvaluateAsync(returned, Stop)).Decision.Verdict));
        await writers.DispatchAsync(returned, Stop);
        dispatched = await JobAsync(stored.JobId);
        await MovedAsync(
            new Move(
                dispatched,
                dispatched with
                {
                    State = JobState.Running,
                    RunId = running.RunId,
                    ClaimedBy = "worker-key",
                    RunUntil = long.MaxValue / 2,
                }
            )
        );
        await MovedAsync(
            RecoveryMoves.Of(await JobAsync(stored.JobId), AnOutcome(running, OutcomeKind.Faulted), await writers.ContextAsync(Stop))
        );

        var failed = await JobAsync(stored.JobId);
        Assert.Equal(JobState.Retrying, failed.State);
        Assert.Equal(
            (Verdict.Deny, "a second try"),
            ((await writers.EvaluateAsync(failed, Stop)).Decision.Verdict, (await writers.EvaluateAsync(failed, Stop)).Decision.Reason)
        );
        Assert.Equal(
            [1, 1, 1],
            (await TimelineAsync(stored.JobId))
                .Select(RecordedDecision.Of)
                .OfType<RecordedDecision>()
                .Where(decision => decision.Kind == "dispatched")
                .Select(decision => decision.Attempt)
        );
    }

    private static AttemptOutcome AnOutcome(Job running, OutcomeKind kind) =>
        new()
        {
            JobId = running.JobId,
            Attempt = running.Attempt,
            RunId = running.RunId!.Value,
            Worker = "host/1",
            PermitId = Guid.Empty,
            Kind = kind,
            Fault =
                kind == OutcomeKind.Faulted
                    ? new Fault
                    {
                        Class = "transient",
                        Type = "t",
                        Message = "m",
                    }
                    : null,
            StartedAt = DateTimeOffset.UnixEpoch,
            EndedAt = DateTimeOffset.UnixEpoch,
        };

    [Theory]
    [InlineData("no rules", JobState.Denied)]
    [InlineData("another pool", JobState.Accepted)]
    [InlineData("unreadable", JobState.Accepted)]
    public async Task Job_is_reevaluated_when_the_bundle_changed_and_denied_only_by_readable_rules(string change, JobState state)
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await writers.BundleAsync(Topic, Store, Stop, Allow);
        var evaluated = await writers.EvaluateAsync(job, Stop);
        Assert.Equal(Verdict.Allow, evaluated.Decision.Verdict);
        await (
            change switch
            {
                "no rules" => writers.BundleAsync(Topic, Store, Stop, known: false),
                "another pool" => writers.BundleAsync(
                    Topic.Replace("pool: shell", "pool: moved", StringComparison.Ordinal),
                    Store,
                    Stop,
                    Allow,
                    known: false
                ),
                _ => ActivateAsync("a bundle of a newer version"),
            }
        );

        await writers.DispatchAsync(evaluated, Stop);

        Assert.Equal(state, (await JobAsync(job.JobId)).State);
    }
}

public sealed class PostgresDispatchTests() : DispatchTests(StoreKind.Postgres);

public sealed class SqliteDispatchTests() : DispatchTests(StoreKind.Sqlite);
