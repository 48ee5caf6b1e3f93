using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies;

public class ApprovalTests
{
    [Fact]
    public void A_rule_without_an_approval_block_asks_for_one_vote_in_a_day_good_for_an_hour()
    {
        ApprovalRequirement approval = Decide("id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL");

        Assert.Empty(approval.Groups);
        Assert.Equal([ApprovalRequirement.Requester], approval.Exclude);
        Assert.Equal(TimeSpan.FromHours(24), approval.DecideWithin);
        Assert.Equal(TimeSpan.FromHours(1), approval.UseWithin);
    }

    [Fact]
    public void An_approval_block_says_who_and_how_fast()
    {
        ApprovalRequirement approval = Decide(Approve("a", "groups: {sre: 2, owners: 1}, exclude: [requester, ci], decide_within: 2h, use_within: 30m"));

        Assert.Equal([new ApprovalGroup("owners", 1), new ApprovalGroup("sre", 2)], approval.Groups);
        Assert.Equal(["ci", "requester"], approval.Exclude);
        Assert.Equal(TimeSpan.FromHours(2), approval.DecideWithin);
        Assert.Equal(TimeSpan.FromMinutes(30), approval.UseWithin);
    }

    [Fact]
    public void The_requester_may_vote_only_where_a_rule_says_so()
    {
        Assert.Empty(Decide(Approve("a", "exclude: []")).Exclude);
        Assert.Equal(["requester"], Decide(Approve("a", "groups: {sre: 1}")).Exclude);
    }

    [Fact]
    public void Several_rules_requirements_merge_to_the_tightest()
    {
        ApprovalRequirement approval = Decide(
            Approve("a", "groups: {sre: 2}, exclude: [ci], decide_within: 2h, use_within: 3h"),
            Approve("b", "groups: {sre: 1, owners: 1}, exclude: [cd], decide_within: 3h, use_within: 2h"),
            "id: c, match: {labels: {env: prod}}, decision: REQUIRE_APPROVAL");

        Assert.Equal([new ApprovalGroup("owners", 1), new ApprovalGroup("sre", 2)], approval.Groups);
        Assert.Equal(["cd", "ci", "requester"], approval.Exclude);
        Assert.Equal(TimeSpan.FromHours(2), approval.DecideWithin);
        Assert.Equal(TimeSpan.FromHours(1), approval.UseWithin);
    }

    private static string Approve(string id, string approval) => $"id: {id}, match: {{topic: test.run}}, decision: REQUIRE_APPROVAL, approval: {{{approval}}}";

    private static ApprovalRequirement Decide(params string[] rules) => ABundle.WithRules(rules).Decide(AJob.ToTest()).Approval!;
}
