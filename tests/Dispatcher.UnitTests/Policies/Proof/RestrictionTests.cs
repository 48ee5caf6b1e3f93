using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>The order used by the theorems distinguishes decisions correctly.</summary>
public class RestrictionTests
{
    private const string Allow = "decision: ALLOW";
    private const string Approve = "decision: REQUIRE_APPROVAL";
    private const string Deny = "decision: DENY";

    [Theory]
    [InlineData(Deny, Approve)]
    [InlineData(Approve, Allow)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}", Allow)]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}",
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 6}"
    )]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {max_output_bytes: 0}",
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {max_output_bytes: 1}"
    )]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a]}",
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a, b]}"
    )]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_commands: [a]}",
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_commands: [a, b]}"
    )]
    [InlineData("decision: REQUIRE_APPROVAL, constraints: {timeout_ms: 5}", Approve)]
    [InlineData("decision: REQUIRE_APPROVAL, approval: {groups: {a: 1}}", Approve)]
    [InlineData("decision: REQUIRE_APPROVAL, approval: {groups: {a: 2}}", "decision: REQUIRE_APPROVAL, approval: {groups: {a: 1}}")]
    [InlineData(Approve, "decision: REQUIRE_APPROVAL, approval: {exclude: []}")]
    [InlineData("decision: REQUIRE_APPROVAL, approval: {decide_within: 1h}", Approve)]
    [InlineData("decision: REQUIRE_APPROVAL, approval: {use_within: 59m}", Approve)]
    [InlineData(Approve, "decision: REQUIRE_APPROVAL, approval: {covers: retries}")]
    [InlineData("decision: REQUIRE_APPROVAL, approval: {on_policy_change: invalidate}", Approve)]
    public void Decision_that_allows_less_is_narrower(string narrow, string wide)
    {
        Assert.Equal(Relation.Narrower, Restriction.Compare(Decide(narrow), Decide(wide)));
        Assert.Equal(Relation.Wider, Restriction.Compare(Decide(wide), Decide(narrow)));
    }

    [Theory]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}", Approve)]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a]}",
        "decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [b]}"
    )]
    [InlineData("decision: REQUIRE_APPROVAL, approval: {groups: {a: 1}}", "decision: REQUIRE_APPROVAL, approval: {groups: {b: 1}}")]
    public void Decisions_that_allow_different_things_are_incomparable(string one, string other) =>
        Assert.Equal(Relation.Incomparable, Restriction.Compare(Decide(one), Decide(other)));

    [Theory]
    [InlineData(Allow)]
    [InlineData(Approve)]
    [InlineData(Deny)]
    public void Decisions_that_allow_the_same_are_equal(string decision) =>
        Assert.Equal(Relation.Same, Restriction.Compare(Decide(decision), Decide(decision)));

    private static Decision Decide(string decision) =>
        ABundle.WithRules($"id: a, match: {{topic: test.run}}, {decision}").Decide(AJob.ToTest());
}
