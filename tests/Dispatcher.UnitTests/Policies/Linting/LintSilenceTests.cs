namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>No lint code is reported for a rule that is only similar. The rules start on line 3, one on each line.</summary>
public class LintSilenceTests
{
    private const string Grant = "id: grant, match: {topic: test.run}, decision: ALLOW";
    private const string Env = "labels: {env: {values: [dev, prod]}}";

    [Theory]
    [InlineData(
        "shadowed",
        "",
        "id: deny, match: {topic: test.run, unless: {principal: ci}}, decision: DENY",
        "id: a, match: {topic: test.run, principal: [ci, cd]}, decision: ALLOW"
    )]
    [InlineData(
        "shadowed",
        "",
        "id: a, match: {topic: test.run, labels: {x: a}}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}",
        Grant
    )]
    [InlineData(
        "shadowed",
        "",
        "id: tight, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 9}",
        "id: a, match: {topic: test.run, attempt_gte: 2}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}"
    )]
    [InlineData(
        "shadowed",
        "",
        "id: sre, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {groups: {sre: 1}}",
        "id: a, match: {topic: test.run, principal: ci}, decision: REQUIRE_APPROVAL, approval: {groups: {sre: 2}}"
    )]
    [InlineData(
        "shadowed",
        "",
        "id: b, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {covers: retries}",
        "id: a, match: {topic: test.run, principal: ci}, decision: REQUIRE_APPROVAL"
    )]
    [InlineData(
        "shadowed",
        "",
        "id: b, match: {topic: test.run}, decision: REQUIRE_APPROVAL",
        "id: a, match: {topic: test.run, principal: ci}, decision: REQUIRE_APPROVAL, approval: {on_policy_change: invalidate}"
    )]
    [InlineData(
        "shadowed",
        "",
        "id: deny, match: {topic: test.run}, decision: DENY, effective: {until: 2027-01-01T00:00:00Z}",
        "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW"
    )]
    [InlineData(
        "shadowed",
        "labels: {env: {}}",
        "id: deny, match: {topic: test.run, labels: {env: [dev, prod]}}, decision: DENY",
        "id: a, match: {topic: test.run, labels: {env: {exists: true}}}, decision: DENY"
    )]
    [InlineData(
        "shadowed",
        "",
        "id: may, match: {topic: test.run, risk_tags: [pii]}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}",
        "id: a, match: {topic: test.run}, decision: ALLOW"
    )]
    [InlineData(
        "same_rule",
        "",
        "id: a, match: {topic: test.run, principal: ci}, decision: DENY",
        "id: b, match: {topic: test.run, principal: cd}, decision: DENY"
    )]
    [InlineData("never_matches", "", "id: a, match: {topic: test.run, labels: {env: {exists: false}}}, decision: DENY")]
    [InlineData("never_matches", "", "id: a, match: {topic: test.run, principal: [ci, cd], unless: {principal: ci}}, decision: DENY")]
    [InlineData("never_matches", "", "id: a, match: {topic: test.run, risk_tags: {none: [egress]}}, decision: DENY")]
    [InlineData("expired", "", "id: a, match: {topic: test.run}, decision: ALLOW, effective: {until: 2026-11-23T12:00:01Z}")]
    [InlineData("unregistered_topic", "", Grant)]
    [InlineData("topic_fits_nothing", "", "id: a, match: {topic: test.*}, decision: ALLOW")]
    [InlineData("unregistered_label", Env, "id: a, match: {topic: test.run, labels: {env: prod}}, decision: DENY")]
    [InlineData("unknown_value", Env, "id: a, match: {topic: test.run, labels: {env: prod}}, decision: DENY")]
    [InlineData(
        "value_never_derived",
        "labels: {kind: {values: [a, b], source: payload, derive: {path: /c, table: [{exact: [x], value: a}], default: b}}}",
        "id: a, match: {topic: test.run, labels: {kind: [a, b]}}, decision: DENY"
    )]
    [InlineData("unregistered_tag", "tags: {always: [pii]}", "id: a, match: {topic: test.run, risk_tags: [pii]}, decision: DENY")]
    [InlineData("producers_word", "risk: medium", "id: a, match: {topic: test.run, labels: {env: dev}}, decision: ALLOW")]
    [InlineData("producers_word", "", "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW")]
    [InlineData(
        "producers_word",
        "labels: {who: {source: principal}}, tags: {always: [pii]}",
        "id: a, match: {topic: test.run, labels: {who: ci}, risk_tags: [pii]}, decision: ALLOW"
    )]
    [InlineData("producers_word", "", "id: a, match: {topic: test.run, labels: {env: dev}}, decision: REQUIRE_APPROVAL")]
    [InlineData("unconditional_grant", "risk: medium", Grant)]
    [InlineData("unconditional_grant", "", "id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL")]
    [InlineData("unconditional_grant", "", "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW")]
    [InlineData("unconditional_grant", "", "id: a, match: {topic: test.run, unless: {labels: {env: prod}}}, decision: ALLOW")]
    [InlineData("never_matches", "max_attempts: 3", "id: a, match: {topic: test.run, attempt_gte: 50}, decision: DENY")]
    [InlineData(
        "avoidable_restriction",
        "labels: {env: {absent: no_match, required: true}}",
        "id: a, match: {topic: test.run, labels: {env: prod}}, decision: DENY"
    )]
    [InlineData(
        "avoidable_restriction",
        "labels: {env: {absent: no_match}}",
        "id: a, match: {topic: test.run, labels: {env: prod}}, decision: ALLOW"
    )]
    [InlineData("topic_without_rule", "", Grant)]
    [InlineData("topic_without_grant", "", Grant)]
    [InlineData("review_overdue", "", "id: a, match: {topic: test.run}, decision: ALLOW, review_by: 2026-11-23")]
    [InlineData("review_soon", "", "id: a, match: {topic: test.run}, decision: ALLOW, review_by: 2026-12-24")]
    [InlineData(
        "conflicting_constraints",
        "",
        "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a]}",
        "id: b, match: {topic: test.run, principal: cd}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [b]}"
    )]
    [InlineData(
        "conflicting_constraints",
        "",
        "id: a, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a, c]}",
        "id: b, match: {topic: test.run, principal: cd}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [b, c]}"
    )]
    [InlineData(
        "constraint_not_enforced",
        "",
        "id: a, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}"
    )]
    [InlineData("weak_guardrail", "", "id: a, match: {topic: test.run, risk_tags: {none: [x]}}, decision: DENY, guardrail: true")]
    [InlineData("broad_grant", "", "id: a, match: {principal: ci}, decision: DENY")]
    [InlineData("broad_grant", "", Grant)]
    [InlineData("no_reason", "", "id: a, match: {topic: test.run}, decision: DENY, reason: because")]
    [InlineData("default_timeouts", "timeouts: {start: 60s, run: 2m, heartbeat: 5s, overall: 1h}", Grant)]
    [InlineData("unused_pool", "", Grant)]
    public void Does_not_report_the_code_for_a_similar_rule(string code, string topic, params string[] rules)
    {
        var findings = ABundle.WithTopic(topic, rules).Lint();

        Assert.DoesNotContain(findings, finding => finding.Code == code);
        Assert.Empty(ABundle.WithTopic(topic, rules).Load().Errors);
    }
}
