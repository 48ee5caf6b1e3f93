using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Enforcement;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>
/// A job that requires an approval needs a person who is responsible for its principal. That person may not approve it.
/// </summary>
public sealed class OwnerTests
{
    private const string Ask = "id: ask, match: { topic: test.run, labels: { env: prod } }, decision: REQUIRE_APPROVAL, reason: look first";

    [Fact]
    public async Task Owner_of_a_broker_user_cannot_approve_its_jobs_with_another_key()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        await stage
            .Server.Get<ApiKeys>()
            .CreateAsync(
                new KeyRequest
                {
                    Subject = "svc",
                    Person = "ana",
                    Roles = [],
                },
                TestContext.Current.CancellationToken
            );
        var held = await stage.HeldAsync(principal: "svc");

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana);

        Assert.Equal((403, "own_job"), (status, body.GetProperty("code").GetString()));
        Assert.Equal(200, (await stage.VoteAsync(held, "approve", stage.Bo)).Status);
    }

    [Fact]
    public async Task Job_that_requires_an_approval_is_denied_with_the_fix_without_an_owner()
    {
        await using var stage = await VotingStage.WithAsync(
            Ask,
            "id: go, match: { topic: test.run, labels: { env: dev } }, decision: ALLOW"
        );

        var (status, body) = await stage.SubmitAsync("unowned", "prod");
        var (other, _) = await stage.SubmitAsync("unowned", "dev");

        Assert.Equal((403, "DENY", 202), (status, body.GetProperty("verdict").GetString(), other));
        Assert.StartsWith("no_owner", body.GetProperty("reason").GetString(), StringComparison.Ordinal);
        Assert.Contains(
            "dispatcher keys bind --subject unowned --person",
            body.GetProperty("reason").GetString(),
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Held_job_is_not_approved_when_its_principal_lost_its_owner()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync();
        await stage.Server.Get<ApiKeys>().RevokeAsync("producer", TestContext.Current.CancellationToken);

        var (status, body) = await stage.VoteAsync(held, "approve", stage.Ana);

        Assert.Equal((409, "changed"), (status, body.GetProperty("code").GetString()));
        Assert.Equal(JobState.Denied, (await stage.JobAsync(held)).State);
        var decision = (
            await stage
                .Server.Get<PolicyGate>()
                .EvaluateAsync(await stage.JobAsync(held), Hop.Dispatch, TestContext.Current.CancellationToken)
        ).Decision;
        Assert.Equal((Verdict.Deny, PolicyGate.NoOwner), (decision.Verdict, decision.Reason));
    }
}
