using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>Votes that do not count: what is recorded of them, and what stays unchanged.</summary>
public sealed class RefusedVoteTests
{
    private const string Ask = "id: ask, match: { topic: test.run, labels: { env: prod } }, decision: REQUIRE_APPROVAL, reason: look first";
    private static readonly string Other = new('f', 64);

    [Fact]
    public async Task Timeline_keeps_only_the_first_refused_vote_for_each_key_and_reason()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        var requester = VotingStage.Caller("producer", "pat");

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => stage.VoteAsync(held, "approve", requester)));
        await stage.VoteAsync(held, "reject", requester);
        await stage.VoteAsync(held, "approve", stage.Ana, vote => vote["job_hash"] = Other);
        await stage.VoteAsync(held, "approve", stage.Ana, vote => vote["view_hash"] = Other);
        await stage.VoteAsync(held, "approve", VotingStage.Caller("pat-laptop", "pat"));

        Assert.Equal(
            [TimelineKinds.Held, TimelineKinds.VoteRefused, TimelineKinds.VoteRefused, TimelineKinds.VoteRefused],
            await stage.LinesAsync(held)
        );
    }

    [Fact]
    public async Task Vote_changes_nothing_when_its_job_was_cancelled_after_the_check()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        await using (var db = await stage.Server.DatabaseAsync())
        {
            // The approval row is still held, as a reader between the two statements sees it.
            await db.Jobs.ExecuteUpdateAsync(
                set => set.SetProperty(job => job.State, JobState.Cancelled),
                TestContext.Current.CancellationToken
            );
        }

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana);

        Assert.Equal((409, "raced"), (status, body.GetProperty("code").GetString()));
        Assert.Equal(JobState.Cancelled, (await stage.JobAsync(held)).State);
        Assert.Empty((await stage.ApprovalAsync(held)).Votes);
    }
}
