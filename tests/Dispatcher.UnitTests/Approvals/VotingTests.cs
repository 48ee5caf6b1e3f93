using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using MassTransit.Mediator;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>Votes over HTTP on submitted jobs, on the embedded store.</summary>
public sealed class VotingTests
{
    private const string Ask = "id: ask, match: { topic: test.run, labels: { env: prod } }, decision: REQUIRE_APPROVAL, reason: look first";
    private static readonly string Other = new('f', 64);

    [Fact]
    public async Task Vote_that_completes_the_quorum_is_committed_before_the_answer()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana);

        Assert.Equal(
            (200, "approved", "approved"),
            (status, body.GetProperty("state").GetString(), body.GetProperty("job_state").GetString())
        );
        var approval = await stage.ApprovalAsync(held);
        var vote = Assert.Single(approval.Votes);
        Assert.Equal(
            (ApprovalStates.Approved, "ana", "looked at it", approval.ViewHash),
            (approval.State, vote.Person, vote.Reason, vote.ViewHash)
        );
        Assert.Equal(approval.DecidedAt + 3_600_000_000, approval.UseBy);
        Assert.Equal(JobState.Approved, (await stage.JobAsync(held)).State);
        Assert.Equal([TimelineKinds.Held, TimelineKinds.Approved], await stage.LinesAsync(held));
        Assert.Contains("approved", await stage.EventsAsync());
    }

    [Fact]
    public async Task Rejection_ends_the_job()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();

        var (status, body) = await stage.VoteAsync(held, "reject", stage.Ana);
        var (late, refusal) = await stage.VoteAsync(held, "approve", stage.Bo);

        Assert.Equal((200, "rejected"), (status, body.GetProperty("job_state").GetString()));
        Assert.Equal((409, "not_held"), (late, refusal.GetProperty("code").GetString()));
        Assert.Equal(JobState.Rejected, (await stage.JobAsync(held)).State);
        Assert.Equal([TimelineKinds.Held, TimelineKinds.Rejected, TimelineKinds.VoteRefused], await stage.LinesAsync(held));
        Assert.Contains("rejected", await stage.EventsAsync());
    }

    [Fact]
    public async Task Approval_needs_the_votes_of_every_group()
    {
        await using var stage = await VotingStage.WithAsync(Ask + ", approval: { groups: { dev: 1, sre: 1 } }");
        var held = await stage.HeldAsync();

        var (_, first) = await stage.VoteAsync(held, "approve", stage.Ana);
        var state = (await stage.JobAsync(held)).State;
        var (_, second) = await stage.VoteAsync(held, "approve", stage.Bo);

        Assert.Equal(
            ("held", "1 of sre", JobState.Held),
            (first.GetProperty("state").GetString(), first.GetProperty("missing").GetString(), state)
        );
        Assert.Equal("approved", second.GetProperty("job_state").GetString());
        Assert.Equal([TimelineKinds.Held, TimelineKinds.Voted, TimelineKinds.Approved], await stage.LinesAsync(held));
    }

    [Fact]
    public async Task Repeated_vote_gets_the_same_answer_and_a_second_vote_of_a_person_is_refused()
    {
        await using var stage = await VotingStage.WithAsync(Ask + ", approval: { groups: { dev: 2 } }");
        var held = await stage.HeldAsync();
        await stage.VoteAsync(held, "approve", stage.Ana);

        var again = await stage.VoteAsync(held, "approve", stage.Ana);
        var otherKey = await stage.VoteAsync(held, "approve", VotingStage.Caller("ana-laptop", "ana", "dev"));
        var otherMind = await stage.VoteAsync(held, "reject", stage.Ana);

        Assert.Equal((200, 200, 409), (again.Status, otherKey.Status, otherMind.Status));
        Assert.Single((await stage.ApprovalAsync(held)).Votes);
        Assert.Equal(JobState.Held, (await stage.JobAsync(held)).State);
    }

    [Theory]
    [InlineData("producer", "producer", "own_job")]
    [InlineData("another-key", "pat", "own_job")]
    [InlineData("crm", "cleo", "excluded")]
    [InlineData("cleo-laptop", "cleo", "excluded")]
    [InlineData("zoe", "zoe", "not_in_group")]
    [InlineData("ana-key", "", "no_person")]
    public async Task Ineligible_voter_gets_403_and_an_entry_on_the_timeline(string subject, string person, string code)
    {
        await using var stage = await VotingStage.WithAsync(Ask + ", approval: { groups: { dev: 1 }, exclude: [crm] }");
        var held = await stage.HeldAsync();
        var group = person == "zoe" ? "crew" : "dev";

        var (status, body) = await stage.VoteAsync(held, "approve", VotingStage.Caller(subject, person, group));

        Assert.Equal((403, code), (status, body.GetProperty("code").GetString()));
        Assert.Equal([TimelineKinds.Held, TimelineKinds.VoteRefused], await stage.LinesAsync(held));
        Assert.Equal((JobState.Held, 0), ((await stage.JobAsync(held)).State, (await stage.ApprovalAsync(held)).Votes.Count));
    }

    [Theory]
    [InlineData("job_hash")]
    [InlineData("policy_hash")]
    [InlineData("view_hash")]
    public async Task Vote_with_another_hash_gets_409_with_the_change(string field)
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana, vote => vote[field] = Other);

        Assert.Equal((409, "changed"), (status, body.GetProperty("code").GetString()));
        Assert.Equal(
            (field, Other),
            (
                body.GetProperty("changed")[0].GetProperty("field").GetString(),
                body.GetProperty("changed")[0].GetProperty("voted").GetString()
            )
        );
        Assert.Equal(JobState.Held, (await stage.JobAsync(held)).State);
    }

    [Theory]
    [InlineData("reason", "  ", "bad_reason /reason")]
    [InlineData("reason", "a\0b", "bad_reason /reason")]
    [InlineData("job_hash", "xyz", "bad_hash /job_hash")]
    [InlineData("policy_hash", "", "bad_hash /policy_hash")]
    public async Task Malformed_vote_is_refused(string field, string value, string error)
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana, vote => vote[field] = value);

        Assert.Equal(400, status);
        Assert.Equal([error], AServer.Errors(body));
    }

    [Fact]
    public async Task Changed_rules_refuse_the_vote_and_open_the_next_round()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        var shown = await stage.ShownAsync(held, stage.Ana);
        await stage.ActivateAsync(ABundle.WithRules(Ask + ", constraints: { timeout_ms: 5 }"));

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana, shown: shown);

        Assert.Equal((409, "changed"), (status, body.GetProperty("code").GetString()));
        var again = await stage.ApprovalAsync(held);
        Assert.Equal((JobState.Held, ApprovalStates.Held, 2), ((await stage.JobAsync(held)).State, again.State, again.Round));
        Assert.Equal(
            [TimelineKinds.Held, TimelineKinds.Invalidated, TimelineKinds.Held, TimelineKinds.VoteRefused],
            await stage.LinesAsync(held)
        );
    }

    [Fact]
    public async Task Change_of_other_rules_does_not_affect_a_vote()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        var shown = await stage.ShownAsync(held, stage.Ana);
        await stage.ActivateAsync(ABundle.WithRules(Ask, "id: other, match: { labels: { env: stage } }, decision: DENY"));

        var (status, _) = await stage.VoteAsync(held, "approve", stage.Ana, shown: shown);

        Assert.Equal((200, JobState.Approved), (status, (await stage.JobAsync(held)).State));
    }

    [Fact]
    public async Task Vote_on_a_changed_row_is_refused()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        var shown = await stage.ShownAsync(held, stage.Ana);
        await using (var db = await stage.Server.DatabaseAsync())
        {
            await db.Jobs.ExecuteUpdateAsync(
                set => set.SetProperty(job => job.Reason, "nothing to see"),
                TestContext.Current.CancellationToken
            );
        }

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana, shown: shown);

        Assert.Equal((409, "changed"), (status, body.GetProperty("code").GetString()));
        Assert.NotEqual(JobState.Approved, (await stage.JobAsync(held)).State);
    }

    [Theory]
    [InlineData("approve")]
    [InlineData("reject")]
    public async Task Vote_that_expires_before_it_locks_the_row_changes_nothing(string verdict)
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        var approval = await stage.ApprovalAsync(held);
        await using (var db = await stage.Server.DatabaseAsync())
        {
            await db.Approvals.ExecuteUpdateAsync(set => set.SetProperty(row => row.DecideBy, 1), TestContext.Current.CancellationToken);
        }

        var cast = new CastVote
        {
            ApprovalId = approval.CorrelationId,
            Verdict = verdict,
            Reason = "looked at it",
            Person = "ana",
            Subject = "ana-key",
            Groups = ["dev"],
            JobHash = approval.JobHash,
            PolicyHash = approval.PolicyHash,
        };
        await stage.Server.Get<IMediator>().Send(cast, TestContext.Current.CancellationToken);

        Assert.Null(cast.Moved);
        Assert.Equal((ApprovalStates.Held, JobState.Held), ((await stage.ApprovalAsync(held)).State, (await stage.JobAsync(held)).State));
    }

    [Fact]
    public async Task Concurrent_votes_all_count_and_approve_once()
    {
        await using var stage = await VotingStage.WithAsync(Ask + ", approval: { groups: { dev: 8 } }");
        var held = await stage.HeldAsync();
        var voters = Enumerable.Range(0, 8).Select(i => VotingStage.Caller($"key-{i}", $"person-{i}", "dev")).ToList();
        var shown = await stage.ShownAsync(held, voters[0]);

        var answers = await Task.WhenAll(voters.Select(voter => Task.Run(() => stage.VoteAsync(held, "approve", voter, shown: shown))));

        Assert.All(answers, answer => Assert.Equal(200, answer.Status));
        Assert.Equal(8, (await stage.ApprovalAsync(held)).Votes.Select(vote => vote.Person).Distinct().Count());
        Assert.Single(await stage.LinesAsync(held), TimelineKinds.Approved);
    }

    [Theory]
    [InlineData("0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1")]
    [InlineData("nonsense")]
    public async Task Unknown_approval_is_404(string name)
    {
        await using var stage = await VotingStage.WithAsync(Ask);

        var vote = $$"""{"job_hash":"{{Other}}","policy_hash":"{{Other}}","reason":"x"}""";

        Assert.Equal(
            404,
            (await stage.Server.AskAsync("POST", "/api/approvals/{approvalId}/approve", stage.Ana, name: name, body: vote)).Status
        );
        Assert.Equal(404, (await stage.Server.AskAsync("GET", "/api/approvals/{approvalId}", stage.Ana, name: name)).Status);
    }
}
