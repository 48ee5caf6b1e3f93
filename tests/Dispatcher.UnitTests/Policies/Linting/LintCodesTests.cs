using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>Each lint code is reported where it applies. The rules start on line 3, one on each line.</summary>
public class LintCodesTests
{
    private const string Grant = "id: grant, match: {topic: test.run}, decision: ALLOW";
    private const string Env = "labels: {env: {values: [dev, prod]}}";

    [Theory]
    [InlineData(
        "shadowed",
        "",
        4,
        "id: deny, match: {topic: 'test.*'}, decision: DENY",
        "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW"
    )]
    [InlineData("shadowed", "", 3, "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW", Grant)]
    [InlineData(
        "shadowed",
        "",
        4,
        "id: tight, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5, allowed_hosts: [a]}",
        "id: a, match: {topic: test.run, attempt_gte: 2}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 9}"
    )]
    [InlineData(
        "shadowed",
        "",
        4,
        "id: sre, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {groups: {sre: 2}}",
        "id: a, match: {topic: test.run, principal: ci}, decision: REQUIRE_APPROVAL, approval: {groups: {sre: 1}}"
    )]
    [InlineData(
        "shadowed",
        "",
        4,
        "id: b, match: {topic: test.run}, decision: REQUIRE_APPROVAL",
        "id: a, match: {topic: test.run, principal: ci}, decision: REQUIRE_APPROVAL, approval: {covers: retries}"
    )]
    [InlineData(
        "shadowed",
        "",
        4,
        "id: b, match: {topic: test.run}, decision: REQUIRE_APPROVAL, approval: {on_policy_change: invalidate}",
        "id: a, match: {topic: test.run, principal: ci}, decision: REQUIRE_APPROVAL"
    )]
    [InlineData(
        "shadowed",
        Env,
        4,
        "id: deny, match: {topic: test.run, labels: {env: [dev, prod]}}, decision: DENY",
        "id: a, match: {topic: test.run, labels: {env: {exists: true}}}, decision: DENY"
    )]
    [InlineData(
        "same_rule",
        "",
        4,
        "id: a, match: {topic: test.run, principal: ci}, decision: DENY",
        "id: b, match: {topic: 'test.*', principal: [ci]}, decision: DENY"
    )]
    [InlineData(
        "never_matches",
        "labels: {env: {required: true}}",
        3,
        "id: a, match: {topic: test.run, labels: {env: {exists: false}}}, decision: DENY"
    )]
    [InlineData("never_matches", "", 3, "id: a, match: {topic: test.run, principal: ci, unless: {principal: [ci, cd]}}, decision: DENY")]
    [InlineData(
        "never_matches",
        "tags: {always: [egress]}",
        3,
        "id: a, match: {topic: test.run, risk_tags: {none: [egress]}}, decision: DENY"
    )]
    [InlineData(
        "never_matches",
        "labels: {who: {source: principal}}",
        3,
        "id: a, match: {topic: test.run, principal: ci, labels: {who: cd}}, decision: DENY"
    )]
    [InlineData("expired", "", 3, "id: a, match: {topic: test.run}, decision: ALLOW, effective: {until: 2026-11-23T12:00:00Z}")]
    [InlineData("unregistered_topic", "", 3, "id: a, match: {topic: test.rum}, decision: ALLOW")]
    [InlineData("unregistered_topic", "", 3, "id: a, match: {topic: test.run, unless: {topic: test.rum}}, decision: ALLOW")]
    [InlineData("topic_fits_nothing", "", 3, "id: a, match: {topic: tests.*}, decision: ALLOW")]
    [InlineData("unregistered_label", Env, 3, "id: a, match: {topic: test.run, labels: {evn: prod}}, decision: DENY")]
    [InlineData("unknown_value", Env, 3, "id: a, match: {topic: test.run, labels: {env: prd}}, decision: DENY")]
    [InlineData("unknown_value", Env, 3, "id: a, match: {topic: test.run, labels: {env: {not: prd}}}, decision: DENY")]
    [InlineData(
        "value_never_derived",
        "labels: {kind: {values: [a, b], source: payload, derive: {path: /c, table: [{exact: [x], value: a}]}}}",
        3,
        "id: a, match: {topic: test.run, labels: {kind: [a, b]}}, decision: DENY"
    )]
    [InlineData("unregistered_tag", "tags: {optional: [pii]}", 3, "id: a, match: {topic: test.run, risk_tags: [pi]}, decision: DENY")]
    [InlineData("producers_word", "", 3, "id: a, match: {topic: test.run, labels: {env: dev}}, decision: ALLOW")]
    [InlineData(
        "producers_word",
        "tags: {optional: [pii]}",
        3,
        "id: a, match: {topic: test.run, risk_tags: {none: [pii]}}, decision: ALLOW"
    )]
    [InlineData(
        "producers_word",
        "",
        3,
        "id: a, match: {topic: test.run, workflow_id: nightly}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}"
    )]
    [InlineData("unconditional_grant", "", 3, Grant)]
    [InlineData(
        "unconditional_grant",
        "",
        3,
        "id: a, match: {topic: 'test.*'}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}"
    )]
    [InlineData(
        "unconditional_grant",
        "tags: {always: [egress]}",
        3,
        "id: a, match: {topic: test.run, attempt_gte: 2, risk_tags: [egress]}, decision: ALLOW"
    )]
    [InlineData(
        "avoidable_restriction",
        "labels: {env: {absent: no_match}}",
        3,
        "id: a, match: {topic: test.run, labels: {env: prod}}, decision: DENY"
    )]
    [InlineData("review_overdue", "", 3, "id: a, match: {topic: test.run}, decision: ALLOW, review_by: 2026-11-22")]
    [InlineData("review_soon", "", 3, "id: a, match: {topic: test.run}, decision: ALLOW, review_by: 2026-12-23")]
    [InlineData(
        "conflicting_constraints",
        "",
        4,
        "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a]}",
        "id: b, match: {topic: 'test.*', attempt_gte: 2}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [b]}"
    )]
    [InlineData("weak_guardrail", "", 3, "id: a, match: {topic: test.run}, decision: ALLOW, guardrail: true")]
    [InlineData("weak_guardrail", "", 3, "id: a, match: {topic: test.run, unless: {principal: ci}}, decision: DENY, guardrail: true")]
    [InlineData(
        "weak_guardrail",
        "",
        3,
        "id: a, match: {topic: test.run}, decision: DENY, guardrail: true, effective: {until: 2027-01-01T00:00:00Z}"
    )]
    [InlineData("broad_grant", "", 3, "id: a, match: {principal: ci}, decision: ALLOW")]
    [InlineData("broad_grant", "", 3, "id: a, match: {topic: 'test.**'}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}")]
    [InlineData("no_reason", "", 3, "id: a, match: {topic: test.run}, decision: DENY")]
    public void Reports_the_code_on_its_line(string code, string topic, int line, params string[] rules)
    {
        LintFinding finding = Assert.Single(ABundle.WithTopic(topic, rules).Lint(), finding => finding.Code == code);

        Assert.Equal($"rules/test.yaml:{line}", finding.Where);
        Assert.NotEmpty(finding.Message);
        Assert.NotEmpty(finding.Fix);
    }
}
