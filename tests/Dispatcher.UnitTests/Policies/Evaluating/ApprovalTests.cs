using System.Text.Json;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

public class ApprovalTests
{
    [Fact]
    public void Rule_without_an_approval_block_has_the_default_requirement()
    {
        var approval = Decide("id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL");

        Assert.Empty(approval.Groups);
        Assert.Equal([ApprovalRequirement.Requester], approval.Exclude);
        Assert.Equal(TimeSpan.FromHours(24), approval.DecideWithin);
        Assert.Equal(TimeSpan.FromHours(1), approval.UseWithin);
        Assert.Equal(ApprovalCover.Attempt, approval.Covers);
        Assert.Equal(OnPolicyChange.SameBasis, approval.OnPolicyChange);
    }

    [Fact]
    public void Approval_block_sets_groups_times_and_coverage()
    {
        var approval = Decide(
            Approve(
                "a",
                "groups: {sre: 2, owners: 1}, exclude: [requester, ci], decide_within: 2h, use_within: 30m, covers: retries, "
                    + "on_policy_change: invalidate"
            )
        );

        Assert.Equal([new ApprovalGroup("owners", 1), new ApprovalGroup("sre", 2)], approval.Groups);
        Assert.Equal(["ci", "requester"], approval.Exclude);
        Assert.Equal(TimeSpan.FromHours(2), approval.DecideWithin);
        Assert.Equal(TimeSpan.FromMinutes(30), approval.UseWithin);
        Assert.Equal(ApprovalCover.Retries, approval.Covers);
        Assert.Equal(OnPolicyChange.Invalidate, approval.OnPolicyChange);
    }

    /// <summary>The requester can never approve, also when the list does not name it.</summary>
    [Fact]
    public void List_of_exclusions_replaces_the_default()
    {
        Assert.Empty(Decide(Approve("a", "exclude: []")).Exclude);
        Assert.Equal(["requester"], Decide(Approve("a", "groups: {sre: 1}")).Exclude);
    }

    [Fact]
    public void Requirements_of_several_rules_merge_to_the_tightest()
    {
        var approval = Decide(
            Approve("a", "groups: {sre: 2}, exclude: [ci], decide_within: 2h, use_within: 3h"),
            Approve("b", "groups: {sre: 1, owners: 1}, exclude: [cd], decide_within: 3h, use_within: 2h"),
            "id: c, match: {labels: {env: prod}}, decision: REQUIRE_APPROVAL"
        );

        Assert.Equal([new ApprovalGroup("owners", 1), new ApprovalGroup("sre", 2)], approval.Groups);
        Assert.Equal(["cd", "ci", "requester"], approval.Exclude);
        Assert.Equal(TimeSpan.FromHours(2), approval.DecideWithin);
        Assert.Equal(TimeSpan.FromHours(1), approval.UseWithin);
    }

    [Theory]
    [InlineData(ApprovalCover.Retries, "covers: retries", "covers: retries")]
    [InlineData(ApprovalCover.Attempt, "covers: retries", "covers: attempt")]
    [InlineData(ApprovalCover.Attempt, "covers: retries", "use_within: 1h")]
    [InlineData(ApprovalCover.Attempt, "covers: attempt", "covers: retries")]
    public void Retries_are_covered_only_if_every_approval_rule_covers_them(ApprovalCover expected, string one, string other) =>
        Assert.Equal(expected, Decide(Approve("a", one), Approve("b", other)).Covers);

    [Theory]
    [InlineData(OnPolicyChange.SameBasis, "on_policy_change: same_basis", "use_within: 1h")]
    [InlineData(OnPolicyChange.Invalidate, "on_policy_change: invalidate", "on_policy_change: same_basis")]
    [InlineData(OnPolicyChange.Invalidate, "on_policy_change: same_basis", "on_policy_change: invalidate")]
    [InlineData(OnPolicyChange.Invalidate, "use_within: 1h", "on_policy_change: invalidate")]
    public void Another_bundle_invalidates_an_approval_if_one_rule_requires_it(OnPolicyChange expected, string one, string other) =>
        Assert.Equal(expected, Decide(Approve("a", one), Approve("b", other)).OnPolicyChange);

    [Fact]
    public void Only_approval_rules_affect_coverage_and_the_default_covers_no_retries()
    {
        const string Silent = "id: b, match: {topic: test.run}, decision: REQUIRE_APPROVAL";
        const string Allowing = "id: b, match: {topic: test.run}, decision: ALLOW";

        Assert.Equal(ApprovalCover.Attempt, Decide(Approve("a", "covers: retries"), Silent).Covers);
        Assert.Equal(ApprovalCover.Retries, Decide(Approve("a", "covers: retries"), Allowing).Covers);
    }

    [Theory]
    [InlineData("covers: all", "covers 'all' is not known; allowed: attempt, retries.")]
    [InlineData("on_policy_change: Invalidate", "on_policy_change 'Invalidate' is not known; allowed: same_basis, invalidate.")]
    public void Unknown_word_is_an_error_that_names_the_allowed_words(string approval, string message)
    {
        var error = Assert.Single(ABundle.WithRules(Approve("a", approval)).Load().Errors);

        Assert.Equal(("rules/test.yaml:3", message), (error.Where, error.Message));
        Assert.NotEmpty(error.Fix);
    }

    /// <summary>Files and the wire use the same names.</summary>
    [Theory]
    [InlineData("attempt", ApprovalCover.Attempt, "invalidate", OnPolicyChange.Invalidate)]
    [InlineData("retries", ApprovalCover.Retries, "same_basis", OnPolicyChange.SameBasis)]
    public void JSON_uses_the_words_of_the_rules(string cover, ApprovalCover expectedCover, string change, OnPolicyChange expectedChange)
    {
        var json = JsonSerializer.Serialize(Decide(Approve("a", $"covers: {cover}, on_policy_change: {change}")));
        var read = JsonSerializer.Deserialize<ApprovalRequirement>(json)!;

        Assert.Contains($"\"Covers\":\"{cover}\",\"OnPolicyChange\":\"{change}\"", json, StringComparison.Ordinal);
        Assert.Equal((expectedCover, expectedChange), (read.Covers, read.OnPolicyChange));
    }

    private static string Approve(string id, string approval) =>
        $"id: {id}, match: {{topic: test.run}}, decision: REQUIRE_APPROVAL, approval: {{{approval}}}";

    private static ApprovalRequirement Decide(params string[] rules) => ABundle.WithRules(rules).Decide(AJob.ToTest()).Approval!;
}
