using Dispatcher.Audit.Gates;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Jobs;

namespace Dispatcher.StoreTests.Audit.Gates;

/// <summary>The gate metrics, from rows as the dispatcher writes them.</summary>
public abstract class GateQueriesTests(StoreKind kind) : StoreTest(kind)
{
    private const long Second = 1_000_000;

    private GateQueries Queries => new(Database.Contexts);

    [Fact]
    public async Task Metric_has_no_number_without_a_job_in_the_window()
    {
        await EndedAsync(JobState.Succeeded);
        var (from, to) = (1, 2);

        Assert.Null(await Queries.SuccessRateAsync(from, to, Stop));
        Assert.Null(await Queries.P95LatencyMsAsync(from, to, Stop));
        Assert.Null(await Queries.HighRiskUnapprovedAsync(from, to, Stop));
    }

    [Fact]
    public async Task Success_rate_counts_jobs_that_ended_by_themselves()
    {
        for (var i = 0; i < 5; i++)
        {
            await EndedAsync(JobState.Succeeded);
        }

        await EndedAsync(JobState.DeadLettered);
        await EndedAsync(JobState.Expired);
        await EndedAsync(JobState.Expired, afterwards: TimelineKinds.Held);
        await EndedAsync(JobState.Cancelled);
        await EndedAsync(JobState.Denied);
        await StoredAsync(AJob.New());

        // 5 of 7: the dead letter and the job that expired while it did not wait for an approval did not succeed.
        Assert.Equal(0.7142, await Queries.SuccessRateAsync(0, long.MaxValue, Stop));
    }

    [Fact]
    public async Task Latency_is_the_95th_percentile_without_the_time_held()
    {
        for (var i = 1; i <= 19; i++)
        {
            await EndedAsync(JobState.Succeeded, took: i * Second);
        }

        var held = await EndedAsync(JobState.Succeeded, took: 1_000 * Second);
        await Database.ExecuteAsync($"update jobs set approval_round = 1 where finished_at - created_at = {1_000 * Second}");
        await LineAsync(held, TimelineKinds.Held, "{}", at: 10 * Second);
        await LineAsync(held, "voted", "{}", at: 500 * Second);
        await LineAsync(held, TimelineKinds.Approved, "{}", at: 992 * Second);
        Assert.Equal(18_000, await Queries.P95LatencyMsAsync(0, long.MaxValue, Stop));

        await EndedAsync(JobState.DeadLettered, took: 100 * Second);
        await EndedAsync(JobState.Cancelled, took: 500 * Second);
        Assert.Equal(19_000, await Queries.P95LatencyMsAsync(0, long.MaxValue, Stop));
    }

    [Fact]
    public async Task Each_high_risk_dispatch_needs_its_own_approval()
    {
        var job = await EndedAsync(JobState.Succeeded);
        Assert.Equal(0, await CountAsync());
        await LineAsync(job, TimelineKinds.Approved, """{"approval_id":"x-1"}""");
        await DispatchedAsync(job, "x-1");
        Assert.Equal(0, await CountAsync());

        await DispatchedAsync(job, "x-1");
        Assert.Equal(1, await CountAsync());
        await LineAsync(job, TimelineKinds.Unclaimed, """{"approval_id":"x-1"}""");
        await DispatchedAsync(job, "x-1");
        Assert.Equal(1, await CountAsync());
        await DispatchedAsync(job, null);
        await DispatchedAsync(job, "x-2");
        Assert.Equal(3, await CountAsync());
        Assert.Equal(0, await Queries.HighRiskUnapprovedAsync(long.MaxValue - 1, long.MaxValue, Stop) ?? 0);
    }

    /// <summary>Two job hashes for one high-risk dispatch: in two entries, in an entry and the row, or the row is missing.</summary>
    [Theory]
    [InlineData(false, "select 1", 0)]
    [InlineData(true, "select 1", 1)]
    [InlineData(false, "update jobs set job_hash = 'x'", 1)]
    [InlineData(false, "delete from jobs where state = 'succeeded'", 1)]
    public async Task High_risk_dispatch_with_two_job_hashes_counts_as_unapproved(bool another, string sql, int expected)
    {
        var job = await EndedAsync(JobState.Succeeded);
        await LineAsync(job, TimelineKinds.Approved, """{"approval_id":"x-1"}""");
        await DispatchedAsync(job, "x-1", another ? new string('f', 64) : null);

        await Database.ExecuteAsync(sql);

        Assert.Equal(expected, await CountAsync());
    }

    [Theory]
    [InlineData("timeline_mismatch: x", 1)]
    [InlineData("job_hash_mismatch", 1)]
    [InlineData("not_today", 0)]
    public async Task Job_denied_because_its_rows_were_changed_counts_as_unapproved(string reason, int expected)
    {
        await EndedAsync(JobState.Denied);
        await Database.ExecuteAsync($"update jobs set reason = '{reason}'");

        Assert.Equal(expected, await CountAsync());
        Assert.Equal(0, await Queries.HighRiskUnapprovedAsync(long.MaxValue - 1, long.MaxValue, Stop) ?? 0);
    }

    [Fact]
    public async Task Job_that_is_further_than_its_timeline_counts_as_unapproved()
    {
        await RunningAsync();
        var ended = await EndedAsync(JobState.Succeeded);
        await Database.ExecuteAsync($"update jobs set attempt = 2 where finished_at is not null");

        Assert.Equal(2, await CountAsync());
        Assert.Equal(2, (await JobAsync(ended.JobId)).Attempt);
    }

    private Task<double?> CountAsync() => Queries.HighRiskUnapprovedAsync(0, long.MaxValue, Stop);

    /// <summary>A job that has ended, with the entry of its dispatch.</summary>
    private async Task<Job> EndedAsync(JobState state, long took = Second, string? afterwards = null)
    {
        var accepted = await StoredAsync(AJob.New());
        if (afterwards is not null)
        {
            await LineAsync(accepted, afterwards, "{}");
        }

        var dispatched = accepted with { State = JobState.Dispatched, Attempt = 1 };
        await MovedAsync(
            new Move(accepted, dispatched)
            {
                Entry = Line(dispatched, TimelineKinds.Dispatched, """{"verdict":"ALLOW","policy_hash":"p"}"""),
            }
        );
        await Database.ExecuteAsync(
            $"update jobs set state = '{WireNames.Of(state)}', finished_at = created_at + {took}, due_at = null "
                + $"where state = 'dispatched' and due_at = {long.MaxValue}"
        );
        return await JobAsync(accepted.JobId);
    }

    private Task DispatchedAsync(Job job, string? approvalId, string? jobHash = null) =>
        LineAsync(
            job,
            TimelineKinds.Dispatched,
            System.Text.Json.JsonSerializer.Serialize(
                new
                {
                    verdict = "REQUIRE_APPROVAL",
                    policy_hash = "p",
                    job_hash = jobHash ?? job.JobHash,
                    approval_id = approvalId,
                }
            )
        );

    private async Task LineAsync(Job job, string kind, string detail, long? at = null)
    {
        await Store.RecordAsync([Line(job, kind, detail)], [], Stop);
        if (at is not null)
        {
            await Sealing.Tables.UnlockAsync(Database, Kind, keepIdentity: true);
            await Database.ExecuteAsync($"update timeline set at = {at} where entry_id = (select max(entry_id) from timeline)");
        }
    }

    private static TimelineEntry Line(Job job, string kind, string detail) =>
        new()
        {
            JobId = job.JobId,
            Kind = kind,
            Attempt = job.Attempt,
            Actor = "somebody",
            Detail = System.Text.Encoding.UTF8.GetBytes(detail),
        };
}

public sealed class PostgresGateQueriesTests() : GateQueriesTests(StoreKind.Postgres);

public sealed class SqliteGateQueriesTests() : GateQueriesTests(StoreKind.Sqlite);
