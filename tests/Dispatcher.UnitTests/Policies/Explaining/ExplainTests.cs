using Dispatcher.Contracts;
using Dispatcher.Policies.Explaining;

namespace Dispatcher.UnitTests.Policies.Explaining;

/// <summary>An explanation names, for each rule, the first condition that failed or was unknown.</summary>
public sealed class ExplainTests
{
    [Theory]
    [InlineData("match: { topic: test.run, labels: { env: dev } }, decision: ALLOW", RuleOutcome.Matched, null, null)]
    [InlineData("match: { topic: other.run }, decision: ALLOW", RuleOutcome.OtherTopic, "topic fits other.run", "topic is test.run")]
    [InlineData(
        "match: { labels: { env: [prod, staging] } }, decision: DENY",
        RuleOutcome.NotMatched,
        "label env is prod or staging",
        "label env is dev"
    )]
    [InlineData(
        "match: { labels: { env: { not: dev } } }, decision: DENY",
        RuleOutcome.NotMatched,
        "label env is not dev",
        "label env is dev"
    )]
    [InlineData("match: { labels: { team: a } }, decision: DENY", RuleOutcome.Restricts, "label team is a", "label team is absent")]
    [InlineData("match: { labels: { team: a } }, decision: ALLOW", RuleOutcome.DoesNotGrant, "label team is a", "label team is absent")]
    [InlineData(
        "match: { labels: { team: a, env: prod } }, decision: DENY",
        RuleOutcome.NotMatched,
        "label env is prod",
        "label env is dev"
    )]
    [InlineData(
        "match: { labels: { env: { exists: false } } }, decision: DENY",
        RuleOutcome.NotMatched,
        "label env is absent",
        "label env is dev"
    )]
    [InlineData(
        "match: { risk_tags: [egress, pii] }, decision: DENY",
        RuleOutcome.Restricts,
        "risk tags egress and pii",
        "risk tag egress is there, risk tag pii is not named and not optional"
    )]
    [InlineData(
        "match: { risk_tags: { none: [egress] } }, decision: ALLOW",
        RuleOutcome.NotMatched,
        "not (risk tag egress)",
        "risk tag egress is there"
    )]
    [InlineData("match: { principal: ci }, decision: ALLOW", RuleOutcome.NotMatched, "principal is ci", "principal is billing")]
    [InlineData("match: { workflow_id: w }, decision: ALLOW", RuleOutcome.DoesNotGrant, "workflow_id is w", "workflow_id is absent")]
    [InlineData("match: { attempt_gte: 2 }, decision: DENY", RuleOutcome.NotMatched, "attempt is at least 2", "attempt is 1")]
    [InlineData(
        "match: { topic: test.run, unless: { labels: { env: dev } } }, decision: DENY",
        RuleOutcome.NotMatched,
        "not (label env is dev)",
        "label env is dev"
    )]
    [InlineData(
        "match: { topic: test.run }, decision: DENY, effective: { until: 2026-01-01T00:00:00Z }",
        RuleOutcome.NotInEffect,
        "in effect until 2026-01-01T00:00:00Z",
        "the time is 2026-11-23T12:00:00Z"
    )]
    public void Explanation_has_the_outcome_and_the_failed_condition_of_a_rule(
        string rule,
        RuleOutcome outcome,
        string? wanted,
        string? seen
    )
    {
        var bundle = ABundle.WithRules("id: a, " + rule).Build();

        var account = Assert.Single(bundle.Explain(Job.Facts, ABundle.Now).Rules);

        Assert.Equal((outcome, wanted, seen), (account.Outcome, account.Wanted, account.Seen));
        Assert.Equal("rules/test.yaml:3", account.Where);
        Assert.Equal(wanted is null ? null : "rules/test.yaml:3", account.WantedAt);
    }

    [Fact]
    public void Merge_names_the_contribution_of_each_rule()
    {
        var bundle = ABundle
            .WithRules(
                "id: a, match: { topic: test.run }, decision: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 100, "
                    + "allowed_hosts: [x.example, y.example] }",
                "id: b, match: { topic: test.run }, decision: REQUIRE_APPROVAL, constraints: { timeout_ms: 50, allowed_hosts: "
                    + "[y.example] }, reason: ask"
            )
            .Build();

        var explanation = bundle.Explain(Job.Facts, ABundle.Now);

        Assert.Equal(
            [
                "most restrictive of a (ALLOW_WITH_CONSTRAINTS), b (REQUIRE_APPROVAL): REQUIRE_APPROVAL",
                "allowed_hosts: common to all of [x.example, y.example] (a), [y.example] (b)",
                "timeout_ms: the least of 100 (a), 50 (b)",
                "REQUIRE_APPROVAL: ask",
            ],
            explanation.Merge
        );
        Assert.Equal(50, explanation.Decision.Constraints!.TimeoutMs);
    }

    [Fact]
    public void Merge_names_the_rules_that_require_approval()
    {
        var bundle = ABundle
            .WithRules(
                "id: a, match: { topic: test.run }, decision: REQUIRE_APPROVAL, reason: ask",
                "id: b, match: { topic: test.run }, decision: ALLOW",
                "id: c, match: { topic: test.run }, decision: REQUIRE_APPROVAL, approval: { covers: retries }"
            )
            .Build();

        Assert.Contains(
            "approval of a, c: all groups, the higher counts, all exclusions, the shorter times, covers retries if all do, "
                + "on_policy_change invalidate if one does",
            bundle.Explain(Job.Facts, ABundle.Now).Merge
        );
    }

    [Fact]
    public void Explanation_shows_labels_and_tags_as_the_rules_saw_them()
    {
        var bundle = ABundle
            .WithRules("id: a, match: { labels: { who: billing } }, decision: ALLOW")
            .AndTopic("tags: { always: [slow] }, labels: { who: { source: principal } }")
            .Build();

        var explanation = bundle.Explain(Job.Facts, ABundle.Now);

        Assert.Equal(new Dictionary<string, string> { ["env"] = "dev", ["who"] = "billing" }, explanation.Labels);
        Assert.Equal(["egress", "slow"], explanation.Tags);
    }

    [Theory]
    [InlineData("test.run", "DENY: label_missing (label team is missing; allowed: any value)")]
    [InlineData("no.such", "DENY: unknown_topic (topic no.such is not in topics.yaml)")]
    public void Denial_by_the_registry_evaluates_no_rule(string topic, string why)
    {
        var bundle = ABundle
            .WithRules("id: a, match: { topic: \"**\" }, decision: ALLOW")
            .AndTopic("labels: { team: { required: true } }")
            .Build();

        var explanation = bundle.Explain(Job.Facts with { Topic = topic }, ABundle.Now);

        Assert.Empty(explanation.Rules);
        Assert.Equal(Verdict.Deny, explanation.Decision.Verdict);
        Assert.Equal([why], explanation.Merge);
    }

    private static AJob Job => AJob.ToTest().WithLabel("env", "dev").WithTags("egress");
}
