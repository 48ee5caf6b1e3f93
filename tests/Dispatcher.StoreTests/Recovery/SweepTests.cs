using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Storage;

namespace Dispatcher.StoreTests.Recovery;

/// <summary>Due jobs, and leases that heartbeats extend.</summary>
public abstract class SweepTests(StoreKind kind) : StoreTest(kind)
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Sweep_takes_the_longest_due_jobs_first_up_to_its_limit()
    {
        foreach (var due in new[] { 30L, 10, 20, 40, long.MaxValue })
        {
            await StoredAsync(AJob.New().DueAt(due) with { Reason = $"{due}" });
        }

        var first = await Store.TakeDueAsync(2, Minute, Stop);
        var second = await Store.TakeDueAsync(100, Minute, Stop);
        var third = await Store.TakeDueAsync(100, Minute, Stop);

        Assert.Equal(["10", "20"], first.Select(job => job.Reason).Order());
        Assert.Equal(["30", "40"], second.Select(job => job.Reason).Order());
        Assert.Empty(third);
    }

    [Fact]
    public async Task Taken_job_is_postponed_and_read_without_payload_and_result()
    {
        var stored = await StoredAsync(AJob.Full() with { DueAt = 10 });
        var before = await Store.NowAsync(Stop);

        var taken = Assert.Single(await Store.TakeDueAsync(10, Minute, Stop));

        Assert.InRange(taken.DueAt!.Value, before + 60_000_000, before + 70_000_000);
        Assert.Equivalent(stored with { DueAt = taken.DueAt, Payload = [], Result = null }, taken, strict: true);
        Assert.Equal(taken.DueAt, (await JobAsync(stored.JobId)).DueAt);
    }

    [Fact]
    public async Task Taken_job_can_still_be_moved_by_an_earlier_reader()
    {
        var stored = await StoredAsync(AJob.New().DueAt(10));

        await Store.TakeDueAsync(10, Minute, Stop);

        await MovedAsync(new Move(stored, stored with { State = JobState.Dispatched }));
    }

    [Fact]
    public async Task Final_jobs_are_never_due()
    {
        var running = await RunningAsync();
        await MovedAsync(new Move(running, running with { State = JobState.Succeeded, DueAt = 1 }));

        Assert.Empty(await Store.TakeDueAsync(10, Minute, Stop));
    }

    [Fact]
    public async Task Concurrent_sweeps_take_each_job_once()
    {
        var jobs = Enumerable.Range(0, 300).Select(_ => AJob.New().DueAt(10)).ToList();
        await Store.AcceptAsync([.. jobs.Select(AnAcceptance.Of)], null, Stop);

        var taken = await AtOnceAsync(
            8,
            async _ =>
            {
                var mine = new List<Guid>();
                while (await Store.TakeDueAsync(7, Minute, Stop) is { Count: > 0 } some)
                {
                    Assert.InRange(some.Count, 1, 7);
                    mine.AddRange(some.Select(job => job.JobId));
                }

                return mine;
            }
        );

        Assert.Equal(jobs.Select(job => job.JobId).Order(), taken.SelectMany(mine => mine).Order());
    }

    [Fact]
    public async Task Heartbeat_extends_the_lease_from_now()
    {
        var now = await Store.NowAsync(Stop);
        var run = await RunningAsync(job => job with { DueAt = now + 1_000_000, HeartbeatUs = 5_000_000, RunUntil = now + 600_000_000 });

        var live = Assert.Single(await ExtendLeasesAsync(run));

        Assert.Equal(new ExtendedLease(run.RunId!.Value, CancelRequested: false), live);
        Assert.InRange(
            (await JobAsync(run.JobId)).DueAt!.Value,
            now + (Leases.Heartbeats * 5_000_000L),
            now + (Leases.Heartbeats * 5_000_000L) + 5_000_000
        );
        Assert.Equal(run.Version, (await JobAsync(run.JobId)).Version);
    }

    [Fact]
    public async Task Heartbeat_does_not_extend_a_lease_beyond_the_hard_end_and_its_grace()
    {
        var now = await Store.NowAsync(Stop);
        var run = await RunningAsync(job => job with { DueAt = now, HeartbeatUs = 60_000_000, RunUntil = now + 7_000_000 });

        await ExtendLeasesAsync(run);

        Assert.Equal(now + 7_000_000 + Timestamps.Micros(Leases.ReportGrace), (await JobAsync(run.JobId)).DueAt);
    }

    [Fact]
    public async Task Heartbeat_never_shortens_a_lease()
    {
        var now = await Store.NowAsync(Stop);
        var run = await RunningAsync(job => job with { DueAt = now + 100_000_000, HeartbeatUs = 1_000_000, RunUntil = now + 600_000_000 });

        await ExtendLeasesAsync(run);

        Assert.Equal(run.DueAt, (await JobAsync(run.JobId)).DueAt);
    }

    [Fact]
    public async Task Heartbeat_reports_a_requested_cancellation()
    {
        var now = await Store.NowAsync(Stop);
        var run = await RunningAsync(job => job with { HeartbeatUs = 1, RunUntil = now, CancelRequested = true });

        Assert.True(Assert.Single(await ExtendLeasesAsync(run)).CancelRequested);
    }

    [Fact]
    public async Task Heartbeat_extends_only_running_runs_of_its_claimer()
    {
        var now = await Store.NowAsync(Stop);
        var mine = await RunningAsync(job => Leased(job, now));
        var others = await RunningAsync(job => Leased(job, now) with { ClaimedBy = "another-key" });
        var fenced = await RunningAsync(job => Leased(job, now));
        var ended = await RunningAsync(job => Leased(job, now));
        await MovedAsync(new Move(fenced, fenced with { RunId = Guid.CreateVersion7() }));
        await MovedAsync(new Move(ended, ended with { State = JobState.Succeeded }));
        var rows = await Task.WhenAll(new[] { others, fenced, ended }.Select(job => JobAsync(job.JobId)));

        var live = await ExtendLeasesAsync(others, fenced, mine, ended, AJob.New() with { RunId = Guid.CreateVersion7() });

        Assert.Equal(mine.RunId, Assert.Single(live).RunId);
        Assert.Equivalent(rows, await Task.WhenAll(rows.Select(job => JobAsync(job.JobId))), strict: true);
    }

    [Fact]
    public async Task Heartbeat_without_runs_is_allowed()
    {
        Assert.Empty(await ExtendLeasesAsync());
    }

    private static Job Leased(Job job, long now) => job with { DueAt = now, HeartbeatUs = 5_000_000, RunUntil = now + 600_000_000 };

    private Task<IReadOnlyList<ExtendedLease>> ExtendLeasesAsync(params Job[] runs) =>
        Store.ExtendLeasesAsync([.. runs.Select(run => new Run { JobId = run.JobId, RunId = run.RunId!.Value })], "worker-key", Stop);
}

public sealed class PostgresSweepTests() : SweepTests(StoreKind.Postgres);

public sealed class SqliteSweepTests() : SweepTests(StoreKind.Sqlite);
