using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Policies.Model;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Approvals;

/// <summary>A move changes a job and its approval in one transaction.</summary>
public abstract class ApprovalMoveTests(StoreKind kind) : StoreTest(kind)
{
    [Fact]
    public async Task Held_job_and_its_approval_are_stored_in_one_transaction()
    {
        var (job, approval) = AHeldJob.New();

        await Store.AcceptAsync([AnAcceptance.Of(job) with { Approval = approval }], null, Stop);

        Assert.Equal((JobState.Held, 1), ((await JobAsync(job.JobId)).State, (await JobAsync(job.JobId)).ApprovalRound));
        var stored = await ApprovalAsync(job.JobId);
        Assert.Equivalent(approval, stored, strict: true);
        Assert.Equal(approval.ViewHash, ReviewSnapshot.Of(await JobAsync(job.JobId), stored).Hash());
    }

    [Fact]
    public async Task Held_job_and_its_approval_are_not_stored_under_another_bundle()
    {
        var (job, approval) = AHeldJob.New();
        await ActivateAsync("policy-2");

        await Store.AcceptAsync([AnAcceptance.Of(job) with { Approval = approval }], null, Stop);

        Assert.Empty(await JobsAsync());
        Assert.Equal(0, await Database.CountAsync("approvals"));
    }

    [Fact]
    public async Task Dispatch_consumes_the_approval_and_names_the_permit()
    {
        var job = await ApprovedAsync();
        var permit = Guid.CreateVersion7();

        await MovedAsync(Dispatch(job, permit));

        var approval = await ApprovalAsync(job.JobId);
        Assert.Equal((ApprovalStates.Consumed, permit, 2), (approval.State, approval.PermitId, approval.Version));
        Assert.Equal(JobState.Dispatched, (await JobAsync(job.JobId)).State);
    }

    [Theory]
    [InlineData(ApprovalStates.Held)]
    [InlineData(ApprovalStates.Consumed)]
    [InlineData(ApprovalStates.Rejected)]
    [InlineData(ApprovalStates.Expired)]
    [InlineData(ApprovalStates.Invalidated)]
    public async Task Job_is_not_dispatched_unless_its_approval_is_approved(string state)
    {
        var job = await ApprovedAsync();
        await Database.ExecuteAsync($"update approvals set state = '{state}'");

        Assert.Empty((await Store.MoveAsync([Dispatch(job)], Stop)).Jobs);

        Assert.Equal(JobState.Approved, (await JobAsync(job.JobId)).State);
        Assert.Equal((state, 1), ((await ApprovalAsync(job.JobId)).State, (await ApprovalAsync(job.JobId)).Version));
    }

    [Fact]
    public async Task Job_is_not_dispatched_when_its_approval_has_expired_by_the_database_clock()
    {
        var job = await ApprovedAsync();
        await Database.ExecuteAsync($"update approvals set use_by = {await Store.NowAsync(Stop) - 1}");

        Assert.Empty((await Store.MoveAsync([Dispatch(job)], Stop)).Jobs);

        Assert.Equal(ApprovalStates.Approved, (await ApprovalAsync(job.JobId)).State);
    }

    [Fact]
    public async Task Job_without_an_approval_is_not_dispatched()
    {
        var job = await StoredAsync(AJob.New() with { Verdict = Verdict.RequireApproval });

        Assert.Empty((await Store.MoveAsync([Dispatch(job)], Stop)).Jobs);

        Assert.Equal(JobState.Accepted, (await JobAsync(job.JobId)).State);
    }

    [Fact]
    public async Task Approval_is_unchanged_when_its_job_has_moved()
    {
        var job = await ApprovedAsync();
        await MovedAsync(new Move(job, job));

        Assert.Empty((await Store.MoveAsync([Dispatch(job)], Stop)).Jobs);

        Assert.Equal(ApprovalStates.Approved, (await ApprovalAsync(job.JobId)).State);
    }

    [Fact]
    public async Task Unclaimed_attempt_releases_its_approval_for_one_more_dispatch()
    {
        var job = await ApprovedAsync();
        await MovedAsync(Dispatch(job));
        var dispatched = await JobAsync(job.JobId);

        await MovedAsync(new Move(dispatched, dispatched with { State = JobState.Approved }));

        Assert.Equal((ApprovalStates.Approved, null), ((await ApprovalAsync(job.JobId)).State, (await ApprovalAsync(job.JobId)).PermitId));
        await MovedAsync(Dispatch(await JobAsync(job.JobId)));
        Assert.Equal(ApprovalStates.Consumed, (await ApprovalAsync(job.JobId)).State);
    }

    [Fact]
    public async Task Move_ends_one_round_and_starts_the_next()
    {
        var job = await ApprovedAsync();
        var (held, next) = AHeldJob.Again(job);

        await MovedAsync(new Move(job, held) { Opens = next });

        var rounds = await ReadAsync(db =>
            db.Approvals.Where(approval => approval.JobId == job.JobId).OrderBy(approval => approval.Round).ToListAsync(Stop)
        );
        Assert.Equal([(1, ApprovalStates.Invalidated), (2, ApprovalStates.Held)], rounds.Select(round => (round.Round, round.State)));
        Assert.Equal(held.Reason, rounds[0].EndReason);
    }

    [Fact]
    public async Task Exactly_one_of_many_concurrent_dispatches_uses_an_approval()
    {
        for (var round = 0; round < 10; round++)
        {
            var job = await ApprovedAsync();
            var permits = Enumerable.Range(0, 8).Select(_ => Guid.CreateVersion7()).ToList();

            var committed = await AtOnceAsync(8, i => Store.MoveAsync([Dispatch(job, permits[i])], Stop));

            var winner = Assert.Single(Enumerable.Range(0, 8), i => committed[i].Jobs.Contains(job.JobId));
            Assert.Equal(permits[winner], (await ApprovalAsync(job.JobId)).PermitId);
        }
    }

    [Fact]
    public async Task Failed_dispatch_does_not_affect_others_in_its_batch()
    {
        var good = await ApprovedAsync();
        var bad = await ApprovedAsync();
        await Database.ExecuteAsync($"update approvals set state = 'Rejected' where lower(cast(job_id as text)) = '{bad.JobId}'");

        var committed = await Store.MoveAsync([Dispatch(good), Dispatch(bad)], Stop);

        Assert.Equal([good.JobId], committed.Jobs);
        Assert.Equal(
            [ApprovalStates.Consumed, ApprovalStates.Rejected],
            [(await ApprovalAsync(good.JobId)).State, (await ApprovalAsync(bad.JobId)).State]
        );
    }

    private static Move Dispatch(Job job, Guid? permit = null) =>
        new(job, job with { State = JobState.Dispatched, Attempt = job.Attempt + 1, Verdict = Verdict.RequireApproval })
        {
            PermitId = permit ?? Guid.CreateVersion7(),
        };

    private async Task<Job> ApprovedAsync()
    {
        var (held, approval) = AHeldJob.New();
        await Store.AcceptAsync([AnAcceptance.Of(held) with { Approval = approval }], null, Stop);
        var job = await JobAsync(held.JobId);
        var useBy = await Store.NowAsync(Stop) + 60_000_000;
        approval.UseBy = useBy;
        var (approved, vote) = (
            job with
            {
                State = JobState.Approved,
            },
            new Vote("ana", "ana", Vote.Approve, "fine", [], job.JobHash, approval.PolicyHash, approval.ViewHash, 1)
        );
        await MovedAsync(new Move(job, approved) { Entry = VoteEntries.Voted("approved", approved, approval, vote) });
        await using var db = await Database.Contexts.CreateDbContextAsync(Stop);
        await db
            .Approvals.Where(row => row.JobId == job.JobId)
            .ExecuteUpdateAsync(
                set =>
                    set.SetProperty(row => row.State, ApprovalStates.Approved)
                        .SetProperty(row => row.UseBy, useBy)
                        .SetProperty(row => row.Version, 1),
                Stop
            );
        return await JobAsync(held.JobId);
    }

    private Task<Approval> ApprovalAsync(Guid jobId) =>
        ReadAsync(db => db.Approvals.SingleAsync(approval => approval.JobId == jobId, Stop));
}

public sealed class PostgresApprovalMoveTests() : ApprovalMoveTests(StoreKind.Postgres);

public sealed class SqliteApprovalMoveTests() : ApprovalMoveTests(StoreKind.Sqlite);

/// <summary>Builds a held job with its approval, as intake stores them.</summary>
internal static class AHeldJob
{
    public static (Job Job, Approval Approval) New(ApprovalRequirement? requirement = null) =>
        Hold(AJob.New(payload: """{ "n": 1e2 }"""), "needs people", requirement);

    public static (Job Job, Approval Approval) Again(Job job) => Hold(job, "other rules", null);

    private static (Job Job, Approval Approval) Hold(Job job, string reason, ApprovalRequirement? requirement) =>
        ApprovalRounds.Hold(
            job,
            new Decision
            {
                Verdict = Verdict.RequireApproval,
                Rules = ["ask"],
                MatchedRules = ["ask"],
                Reason = reason,
                PolicyHash = AJob.Policy,
                BasisHash = new string('b', 64),
                Approval =
                    requirement
                    ?? ApprovalRequirement.Default with
                    {
                        Groups = [new ApprovalGroup("sre", 2)],
                        Exclude = ["crm", "requester"],
                    },
            },
            1_764_000_000_000_000
        );
}
