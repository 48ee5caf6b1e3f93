using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>Votes that do not count: what they leave behind, and what they leave alone.</summary>
public sealed class RefusedVoteTests
{
    private const string Ask = "id: ask, match: { topic: test.run, labels: { env: prod } }, decision: REQUIRE_APPROVAL, reason: look first";
    private static readonly string Other = new('f', 64);

    [Fact]
    public async Task The_timeline_has_the_first_refused_vote_of_each_key_and_reason_and_no_more()
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
    public async Task A_vote_whose_job_was_cancelled_after_it_was_checked_changes_nothing()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        await using (var db = await stage.Server.DatabaseAsync())
        {
            // The approval row still says held, as it does for a reader who came between the two.
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
