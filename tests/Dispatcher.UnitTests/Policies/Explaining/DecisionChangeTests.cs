using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Explaining;

/// <summary>The comparison of two decisions on the same job.</summary>
public sealed class DecisionChangeTests
{
    private const string Limited = "ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 100, allowed_hosts: [a.example, b.example] }";
    private const string Asked = "REQUIRE_APPROVAL, approval: { groups: { sre: 2 }, exclude: [requester, ci], decide_within: 1h }";

    [Theory]
    [InlineData("DENY", "ALLOW", "DENY to ALLOW")]
    [InlineData("REQUIRE_APPROVAL", "ALLOW", "REQUIRE_APPROVAL to ALLOW")]
    [InlineData(
        Limited,
        "ALLOW",
        "ALLOW_WITH_CONSTRAINTS to ALLOW; allowed_hosts [a.example, b.example] to unlimited; timeout_ms 100 to unlimited"
    )]
    [InlineData(
        Limited,
        "ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 200, allowed_hosts: [a.example, b.example] }",
        "timeout_ms 100 to 200"
    )]
    [InlineData(
        Limited,
        "ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 100, allowed_hosts: [a.example, b.example, c.example] }",
        "allowed_hosts also c.example"
    )]
    [InlineData(
        Asked,
        "REQUIRE_APPROVAL, approval: { groups: { sre: 1 }, exclude: [requester, ci], decide_within: 1h }",
        "approvals of sre 2 to 1"
    )]
    [InlineData(
        Asked,
        "REQUIRE_APPROVAL, approval: { groups: { sre: 2 }, exclude: [requester], decide_within: 1h }",
        "no longer excluded from approving: ci"
    )]
    [InlineData(
        Asked,
        "REQUIRE_APPROVAL, approval: { groups: { sre: 2 }, exclude: [requester, ci], decide_within: 2h }",
        "decide_within 01:00:00 to 02:00:00"
    )]
    [InlineData("REQUIRE_APPROVAL", "REQUIRE_APPROVAL, approval: { covers: retries }", "covers attempt to retries")]
    [InlineData(
        "REQUIRE_APPROVAL, approval: { on_policy_change: invalidate }",
        "REQUIRE_APPROVAL",
        "on_policy_change invalidate to same_basis"
    )]
    public void Change_that_allows_more_is_listed_as_widened(string before, string after, string widened)
    {
        var change = Between(before, after);
        var back = Between(after, before);

        Assert.Equal(widened, string.Join("; ", change.Widened));
        Assert.Empty(change.Narrowed);
        Assert.Empty(back.Widened);
        Assert.Equal(change.Widened.Count, back.Narrowed.Count);
    }

    [Fact]
    public void Change_can_widen_and_narrow_at_once()
    {
        var change = Between(Limited, "ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 50, allowed_hosts: [a.example, c.example] }");

        Assert.Equal(["allowed_hosts also c.example"], change.Widened);
        Assert.Equal(["allowed_hosts no longer b.example", "timeout_ms 100 to 50"], change.Narrowed);
    }

    [Theory]
    [InlineData("ALLOW", "ALLOW, reason: other words")]
    [InlineData("DENY", "DENY, reason: other words")]
    [InlineData(Asked, Asked)]
    public void Other_reason_text_is_not_a_change(string before, string after) => Assert.True(Between(before, after).IsNone);

    private static DecisionChange Between(string before, string after) => DecisionChange.Between(Decide(before), Decide(after));

    private static Decision Decide(string decision) =>
        ABundle.WithRules($"id: a, match: {{ topic: test.run }}, decision: {decision}").Decide(AJob.ToTest());
}
