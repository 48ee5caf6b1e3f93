using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Recovery;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Storage;

/// <summary>An approval counts once, and only if the timeline has it for the same job and the same rules.</summary>
public abstract class ForgedApprovalTests(StoreKind kind) : StoreTest(kind)
{
    [Theory]
    [InlineData("nothing", JobState.Dispatched)]
    [InlineData("a longer time to use it", JobState.Denied)]
    [InlineData("no vote was ever cast", JobState.Denied)]
    [InlineData("it was used", JobState.Denied)]
    [InlineData("it was used and covers retries", JobState.Dispatched)]
    [InlineData("the attempt was unclaimed", JobState.Dispatched)]
    [InlineData("other rules", JobState.Denied)]
    [InlineData("another bundle", JobState.Denied)]
    [InlineData("a second submission on the timeline", JobState.Denied)]
    [InlineData("entries that cannot be read", JobState.Dispatched)]
    public async Task Dispatch_trusts_the_timeline_and_not_the_rows(string change, JobState expected)
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var job =
            change == "no vote was ever cast"
                ? (await jobs.HeldAsync()).Job
                : await jobs.ApprovedAsync(change == "it was used and covers retries" ? "retries" : "attempt");
        await ChangeAsync(jobs, job, change);

        Assert.Equal(expected, await jobs.DispatchAsync(job.JobId));

        var last = (await TimelineAsync(job.JobId))[^1];
        Assert.Equal(expected == JobState.Denied ? TimelineKinds.Denied : TimelineKinds.Dispatched, last.Kind);
        Assert.Equal(
            expected == JobState.Denied,
            (await JobAsync(job.JobId)).Reason.StartsWith("timeline_mismatch: ", StringComparison.Ordinal)
        );
        Assert.Equal(expected == JobState.Denied ? 1 : 0, jobs.Writers.Contradictions.Count);
    }

    [Fact]
    public async Task Refusal_states_the_values_of_timeline_and_row()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var job = await jobs.AcceptedAsync();
        var swapped = await jobs.SwappedAsync(job);

        await jobs.DispatchAsync(job.JobId);

        var said = Assert.Single(jobs.Writers.Contradictions);
        Assert.Contains($"names job hash {job.JobHash}; the row has {swapped.JobHash}", said, StringComparison.Ordinal);
        Assert.Contains(swapped.JobHash, (await JobAsync(job.JobId)).Reason, StringComparison.Ordinal);
        Assert.DoesNotContain(await OutboxAsync(), message => message.Exchange == Exchanges.Work);
    }

    /// <summary>Without an intake entry, the row cannot be confirmed.</summary>
    [Fact]
    public async Task A_job_that_was_never_submitted_is_denied()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var acceptance = AnAcceptance.Of(AJob.New().Under(jobs.Writers.Current.InForce.Hash));
        await Store.AcceptAsync([acceptance with { Entry = acceptance.Entry with { Kind = "voted" } }], null, Stop);

        Assert.Equal(JobState.Denied, await jobs.DispatchAsync(acceptance.JobId));
    }

    /// <summary>Each job of a batch is refused alone.</summary>
    [Fact]
    public async Task Other_jobs_of_the_batch_are_dispatched()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var (good, bad) = (await jobs.AcceptedAsync(), await jobs.SwappedAsync(await jobs.AcceptedAsync()));

        var committed = await Store.MoveAsync([Dispatch(good), Dispatch(bad)], Stop);

        Assert.Equal([good.JobId], committed.Jobs);
        Assert.Equal([bad.JobId], committed.Contradicted);
    }

    /// <summary>A process that lost a race has an old copy of the row, which is no sign of a forgery.</summary>
    [Fact]
    public async Task Changed_row_is_stale_and_not_contradicted()
    {
        await using var jobs = await AnEvidencedJob.OnAsync(Database);
        var job = await jobs.ApprovedAsync();
        await jobs.DispatchAsync(job.JobId);

        var committed = await Store.MoveAsync([Dispatch(job) with { PermitId = Guid.CreateVersion7() }], Stop);

        Assert.Equal((0, 0), (committed.Jobs.Count, committed.Contradicted.Count));
    }

    private static Move Dispatch(Job job) => new(job, job with { State = JobState.Dispatched, Attempt = 1 });

    private async Task ChangeAsync(AnEvidencedJob jobs, Job job, string change)
    {
        switch (change)
        {
            case "a longer time to use it":
                await Database.ExecuteAsync("update approvals set use_by = use_by + 60000000");
                break;
            case "no vote was ever cast":
                await ApproveRowsAsync(job);
                break;
            case "it was used":
            case "it was used and covers retries":
                await jobs.DispatchAsync(job.JobId);
                await ApproveRowsAsync(job);
                break;
            case "the attempt was unclaimed":
                await jobs.DispatchAsync(job.JobId);
                await MovedAsync(RecoveryMoves.Unclaimed(await JobAsync(job.JobId), await jobs.Writers.ContextAsync(Stop)));
                break;
            case "other rules":
                await jobs.Writers.BundleAsync(
                    AnEvidencedJob.Topics,
                    Store,
                    Stop,
                    AnEvidencedJob.Rules.Replace("look first", "look twice", StringComparison.Ordinal)
                );
                await Database.ExecuteAsync(
                    $"update approvals set basis_hash = '{(await jobs.Writers.EvaluateAsync(job, Stop)).Decision.BasisHash}'"
                );
                await ShowAsync(job);
                break;
            case "another bundle":
                await jobs.Writers.BundleAsync(
                    AnEvidencedJob.Topics,
                    Store,
                    Stop,
                    AnEvidencedJob.Rules + ", { id: more, match: { topic: job.other }, decision: DENY, reason: not here }"
                );
                await Database.ExecuteAsync($"update approvals set policy_hash = '{jobs.Writers.Current.InForce.Hash}'");
                await ShowAsync(job);
                break;
            case "a second submission on the timeline":
                var swapped = await jobs.SwappedAsync(job);
                await Store.RecordAsync([AnAcceptance.Of(swapped with { State = JobState.Held }).Entry], [], Stop);
                break;
            case "entries that cannot be read":
                await Store.RecordAsync(
                    [.. new[] { TimelineKinds.Approved, TimelineKinds.Dispatched, TimelineKinds.Held }.Select(kind => Garbage(job, kind))],
                    [],
                    Stop
                );
                break;
        }
    }

    private static TimelineEntry Garbage(Job job, string kind) =>
        new()
        {
            JobId = job.JobId,
            Kind = kind,
            Actor = "somebody",
            Detail = [0xFF, 0x00, .. "{"u8],
        };

    /// <summary>Job and approval as after an approval that was not used yet.</summary>
    private async Task ApproveRowsAsync(Job job)
    {
        await Database.ExecuteAsync("update jobs set state = 'approved'");
        var now = await Store.NowAsync(Stop);
        var row = await ReadAsync(db => db.Approvals.SingleAsync(approval => approval.JobId == job.JobId, Stop));
        IReadOnlyList<Vote> votes =
        [
            new Vote("ana", "ana-cli", Vote.Approve, "fine", ["sre"], row.JobHash, row.PolicyHash, row.ViewHash, now),
        ];
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        await db.Approvals.ExecuteUpdateAsync(
            set =>
                set.SetProperty(approval => approval.State, ApprovalStates.Approved)
                    .SetProperty(approval => approval.UseBy, row.UseBy ?? (now + 60_000_000))
                    .SetProperty(approval => approval.Votes, votes),
            Stop
        );
        await ShowAsync(await JobAsync(job.JobId));
    }

    /// <summary>Hash of the current review snapshot.</summary>
    private async Task ShowAsync(Job job)
    {
        var row = await ReadAsync(db => db.Approvals.SingleAsync(approval => approval.JobId == job.JobId, Stop));
        await Database.ExecuteAsync($"update approvals set view_hash = '{ReviewSnapshot.Of(job, row).Hash()}'");
    }
}

public sealed class PostgresForgedApprovalTests() : ForgedApprovalTests(StoreKind.Postgres);

public sealed class SqliteForgedApprovalTests() : ForgedApprovalTests(StoreKind.Sqlite);
