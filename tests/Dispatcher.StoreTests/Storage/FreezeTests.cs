using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.Storage.Rows;

namespace Dispatcher.StoreTests.Storage;

/// <summary>
/// No dispatch commits while a freeze stops it. A job of these tests has topic <c>job.exec.shell</c> and pool <c>shell</c>.
/// </summary>
public abstract class FreezeTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly TimeSpan Hour = TimeSpan.FromHours(1);

    [Theory]
    [InlineData("topic", "job.exec.shell", true)]
    [InlineData("topic", "job.exec", false)]
    [InlineData("topic", "shell", false)]
    [InlineData("pool", "shell", true)]
    [InlineData("pool", "job.exec.shell", false)]
    [InlineData("pool", "repo", false)]
    [InlineData("all", "", true)]
    public async Task Freeze_stops_the_dispatch_of_its_target_only(string kind, string name, bool stops)
    {
        var job = await StoredAsync(AJob.New());
        var failed = await RunningAsync();
        await MovedAsync(new Move(failed, failed with { State = JobState.Retrying, FailedAttempts = 1 }));
        var retry = await JobAsync(failed.JobId);
        await FreezeAsync(kind, name);

        var dispatched = (await Store.MoveAsync([Dispatch(job), Dispatch(retry)], Stop)).Jobs;

        Assert.Equal(stops ? [] : [job.JobId, retry.JobId], dispatched.Order());
        var stored = await JobAsync(job.JobId);
        Assert.Equal(
            stops ? (JobState.Accepted, 0, 0) : (JobState.Dispatched, 1, 0),
            (stored.State, stored.Attempt, stored.FailedAttempts)
        );
    }

    [Fact]
    public async Task Frozen_jobs_are_still_accepted_denied_cancelled_and_finished()
    {
        var running = await RunningAsync();
        await FreezeAsync("all", "");

        var denied = await StoredAsync(AJob.New());
        await MovedAsync(new Move(denied, denied with { State = JobState.Denied }));
        var cancelled = await StoredAsync(AJob.New());
        await MovedAsync(new Move(cancelled, cancelled with { State = JobState.Cancelled }));
        await MovedAsync(new Move(running, running with { State = JobState.Succeeded }));
    }

    [Fact]
    public async Task Freeze_that_expired_or_was_ended_stops_nothing()
    {
        var expired = await Store.ChangeFreezesAsync((_, now) => new FreezeChange(Order("all", "").At(now) with { Until = now }), Stop);
        Assert.NotNull(expired);
        await FreezeAsync("topic", "job.exec.shell");
        await EndAsync("topic", "job.exec.shell");

        Assert.Empty(await InForceAsync());
        await MovedAsync(Dispatch(await StoredAsync(AJob.New())));
    }

    [Fact]
    public async Task Freeze_and_its_end_are_stored_with_entries_that_name_actor_target_reason_and_end()
    {
        var frozen = (await FreezeAsync("topic", "job.exec.shell"))!.Freeze;
        await EndAsync("topic", "job.exec.shell");

        Assert.Equal(frozen.Since + 3_600_000_000, frozen.Until);
        var row = Assert.Single(await ReadAsync(db => Task.FromResult(db.Freezes.ToList())));
        Assert.Equal(frozen with { EndedAt = row.EndedAt, EndedBy = "ben", EndReason = "repaired" }, row);
        Assert.InRange(row.EndedAt!.Value, row.Since, row.Until);
        var entries = (await TimelineAsync(Guid.Empty))[^2..];
        Assert.Equal(
            [("frozen", "ada", "broken"), ("unfrozen", "ben", "repaired")],
            entries.Select(entry => (entry.Kind, entry.Actor, Detail(entry).GetProperty("reason").GetString()))
        );
        Assert.All(
            entries,
            entry =>
            {
                var detail = Detail(entry);
                Assert.Equal(
                    (frozen.FreezeId, "topic", "job.exec.shell", frozen.Until),
                    (
                        detail.GetProperty("freeze_id").GetGuid(),
                        detail.GetProperty("target").GetString(),
                        detail.GetProperty("name").GetString(),
                        detail.GetProperty("until").GetInt64()
                    )
                );
            }
        );
    }

    [Fact]
    public async Task Decision_sees_the_freezes_in_force_and_can_decline()
    {
        await FreezeAsync("topic", "a.b");
        await FreezeAsync("pool", "shell");
        var entries = (await TimelineAsync(Guid.Empty)).Count;
        IReadOnlyList<Freeze> seen = [];

        Assert.Null(
            await Store.ChangeFreezesAsync(
                (inForce, _) =>
                {
                    seen = inForce;
                    return null;
                },
                Stop
            )
        );

        Assert.Equal(["a.b", "shell"], seen.Select(freeze => freeze.Target).Order());
        Assert.Equal(entries, (await TimelineAsync(Guid.Empty)).Count);
    }

    /// <summary>
    /// Freezes, their ends and dispatches run at once. Entry ids are assigned while the lock is held, so their order is the order of the
    /// commits: a dispatch is before the freeze, or after its end, and never between.
    /// </summary>
    [Fact(Timeout = 60_000)]
    public async Task No_dispatch_commits_between_a_freeze_and_its_end()
    {
        var (frozen, dispatched, stopped) = (0, 0, 0);
        await AtOnceAsync(
            6,
            async i =>
            {
                while (Volatile.Read(ref frozen) < 60 || Volatile.Read(ref dispatched) < 30 || Volatile.Read(ref stopped) < 30)
                {
                    if (i == 0)
                    {
                        var kind = frozen % 3;
                        var (target, name) =
                            kind == 0 ? ("topic", "job.exec.shell")
                            : kind == 1 ? ("pool", "shell")
                            : ("all", "");
                        await FreezeAsync(target, name);
                        Interlocked.Increment(ref frozen);
                        await EndAsync(target, name);
                    }
                    else
                    {
                        var job = await StoredAsync(AJob.New());
                        var entry = AnAcceptance.Of(job).Entry with { Kind = TimelineKinds.Dispatched };
                        var moved = (await Store.MoveAsync([Dispatch(job) with { Entry = entry }], Stop)).Jobs.Count;
                        Interlocked.Increment(ref moved == 0 ? ref stopped : ref dispatched);
                    }
                }

                return i;
            }
        );

        var isFrozen = false;
        foreach (var entry in await ReadAsync(db => Task.FromResult(db.Timeline.OrderBy(entry => entry.EntryId).ToList())))
        {
            isFrozen = entry.Kind == TimelineKinds.Frozen || (isFrozen && entry.Kind != TimelineKinds.Unfrozen);
            Assert.False(isFrozen && entry.Kind == TimelineKinds.Dispatched, $"Entry {entry.EntryId} dispatches a frozen job.");
        }
    }

    [Fact]
    public async Task Backlog_leaves_out_frozen_topics_and_pools_and_lists_the_other_topics_of_the_pool()
    {
        await using var writers = await Writers.OnAsync(Database);
        await writers.BundleAsync("job.exec.shell: { pool: shell, owner: team }\n  job.other: { pool: shell, owner: team }", Store, Stop);
        foreach (var i in Enumerable.Range(1, 5))
        {
            await StoredAsync(AJob.New().Under(writers.Current.InForce.Hash) with { ReadyAt = i });
        }

        await FreezeAsync("topic", "job.exec.shell");
        Assert.False(await writers.Backlog.IsReadyAsync("shell", Stop));
        Assert.Empty(await writers.Backlog.ReadyAsync(Stop));

        var other = await StoredAsync(AJob.New().Under(writers.Current.InForce.Hash) with { Topic = "job.other", ReadyAt = 9 });
        var next = await writers.Backlog.NextAsync("shell", 3, Stop);
        Assert.Equal(other.JobId, Assert.Single(next.Jobs).JobId);
        Assert.False(next.MayBeMore);
        Assert.Equal(["shell"], await writers.Backlog.ReadyAsync(Stop));

        await FreezeAsync("pool", "shell");
        Assert.Empty((await writers.Backlog.NextAsync("shell", 3, Stop)).Jobs);
        Assert.False(await writers.Backlog.IsReadyAsync("shell", Stop));
        await EndAsync("pool", "shell");
        await EndAsync("topic", "job.exec.shell");
        Assert.Equal(3, (await writers.Backlog.NextAsync("shell", 3, Stop)).Jobs.Count);
    }

    [Fact]
    public async Task Dispatch_that_was_decided_before_the_freeze_leaves_the_job_as_it_is()
    {
        await using var writers = await Writers.OnAsync(Database);
        var job = await StoredAsync(AJob.New());
        await writers.BundleAsync(
            "job.exec.shell: { pool: shell, owner: team }",
            Store,
            Stop,
            "{ id: all, match: { topic: job.exec.shell }, decision: ALLOW }"
        );
        var evaluated = await writers.EvaluateAsync(job, Stop);
        await FreezeAsync("pool", "shell");

        await writers.DispatchAsync(evaluated, Stop);

        Assert.Equal(job.Version, (await JobAsync(job.JobId)).Version);
        await EndAsync("pool", "shell");
        await writers.DispatchAsync(evaluated, Stop);
        Assert.Equal(JobState.Dispatched, (await JobAsync(job.JobId)).State);
    }

    /// <summary>The approval is used by the dispatch, so a freeze must not use it up.</summary>
    [Fact]
    public async Task Approved_job_keeps_its_approval_while_it_is_frozen()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var job = await jobs.ApprovedAsync();
        await FreezeAsync("topic", "job.exec.shell");

        await jobs.Writers.DispatchAsync(job, Stop);
        Assert.Equal((JobState.Approved, job.Version), ((await JobAsync(job.JobId)).State, (await JobAsync(job.JobId)).Version));
        Assert.Equal(ApprovalStates.Approved, (await ReadAsync(db => Task.FromResult(db.Approvals.Single()))).State);

        await EndAsync("topic", "job.exec.shell");
        await jobs.Writers.DispatchAsync(job, Stop);
        Assert.Equal(JobState.Dispatched, (await JobAsync(job.JobId)).State);
        Assert.Equal(ApprovalStates.Consumed, (await ReadAsync(db => Task.FromResult(db.Approvals.Single()))).State);
    }

    private static FreezeOrder Order(string kind, string name) => new(new FreezeTarget(kind, name), "broken", "ada", null, Hour);

    private static Move Dispatch(Job job) => new(job, job with { State = JobState.Dispatched, Attempt = job.Attempt + 1 });

    private static JsonElement Detail(TimelineEntry entry) => JsonDocument.Parse(entry.Detail).RootElement;

    private Task<FreezeChange?> FreezeAsync(string kind, string name) =>
        Store.ChangeFreezesAsync((_, now) => new FreezeChange(Order(kind, name).At(now)), Stop);

    private async Task EndAsync(string kind, string name) =>
        Assert.NotNull(
            await Store.ChangeFreezesAsync(
                (inForce, now) =>
                    new FreezeChange(
                        inForce.Single(new FreezeTarget(kind, name).Is) with
                        {
                            EndedAt = now,
                            EndedBy = "ben",
                            EndReason = "repaired",
                        }
                    ),
                Stop
            )
        );

    private async Task<IReadOnlyList<Freeze>> InForceAsync()
    {
        var now = await Store.NowAsync(Stop);
        return await ReadAsync(db => Task.FromResult(db.Freezes.Where(Freeze.IsInForce(now)).ToList()));
    }
}

public sealed class PostgresFreezeTests() : FreezeTests(StoreKind.Postgres);

public sealed class SqliteFreezeTests() : FreezeTests(StoreKind.Sqlite);
