using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>Each code where it must be, and not where something is only near to it. The rules start on line 3, one on each line.</summary>
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
    public void Is_found_on_its_line(string code, string topic, int line, params string[] rules)
    {
        LintFinding finding = Assert.Single(Lint(topic, rules), finding => finding.Code == code);

        Assert.Equal($"rules/test.yaml:{line}", finding.Where);
        Assert.NotEmpty(finding.Message);
        Assert.NotEmpty(finding.Fix);
    }

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
    public void Is_not_found_in_what_is_only_near(string code, string topic, params string[] rules)
    {
        var findings = Lint(topic, rules);

        Assert.DoesNotContain(findings, finding => finding.Code == code);
        Assert.Empty(Bundle(topic, rules).Load().Errors);
    }

    [Theory]
    [InlineData("topic_without_rule", "topics.yaml:5")]
    [InlineData(
        "topic_without_grant",
        "topics.yaml:5",
        "id: a, match: {topic: test.run}, decision: DENY",
        "id: b, match: {topic: test.run, labels: {x: a}, unless: {labels: {x: a}}}, decision: ALLOW"
    )]
    [InlineData("default_timeouts", "topics.yaml:5", Grant)]
    public void What_the_registry_lacks_is_found_at_the_topic(string code, string where, params string[] rules) =>
        Assert.Equal(where, Assert.Single(Lint("timeouts: {run: 1m}", rules), finding => finding.Code == code).Where);

    [Theory]
    [InlineData("high", LintSeverity.Warning)]
    [InlineData("medium", LintSeverity.Info)]
    public void A_topic_that_takes_any_payload_is_found_and_weighs_by_its_risk(string risk, LintSeverity severity)
    {
        LintFinding finding = Assert.Single(Lint($"risk: {risk}", Grant), finding => finding.Code == LintCodes.NoSchema);

        Assert.Equal(("topics.yaml:5", severity), (finding.Where, finding.Severity));
        Assert.DoesNotContain(
            ABundle
                .WithRules(Grant)
                .AndTopic($"risk: {risk}, schema: test.json")
                .AndFile("schemas/test.json", "{\"type\":\"object\"}")
                .Lint(),
            finding => finding.Code == LintCodes.NoSchema
        );
    }

    [Theory]
    [InlineData(", trusts_producer: the worker checks it", LintSeverity.Info)]
    [InlineData(", trusts_producer: ' '", LintSeverity.Warning)]
    [InlineData("", LintSeverity.Warning)]
    public void A_rule_can_say_why_the_producers_word_is_enough(string why, LintSeverity severity)
    {
        var bundle = ABundle
            .WithRules($"id: a, match: {{topic: test.run, labels: {{env: dev}}}}, decision: ALLOW{why}")
            .AndTopic("risk: high, labels: {env: {}}");

        Assert.Equal(severity, Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.ProducersWord).Severity);
    }

    [Fact]
    public void A_topic_without_rules_is_found_beside_a_rule_without_match() =>
        Assert.Contains(
            Lint("", "id: odd, decision: ALLOW"),
            finding => finding is { Code: LintCodes.TopicWithoutRule, Where: "topics.yaml:5" }
        );

    [Theory]
    [InlineData("job: { topic: test.run, principal: a }, expect: { verdict: ALLOW, rules: [grnat] }", "unknown_rule")]
    [InlineData("job: { topic: test.rum, principal: a }, expect: { verdict: ALLOW }", "unregistered_topic")]
    [InlineData("job: { topic: test.rum, principal: a }, expect: { verdict: DENY, reason: unknown_topic }", null)]
    [InlineData("job: { topic: test.run, principal: a }, expect: { verdict: ALLOW, rules: [grant] }", null)]
    public void A_case_that_names_what_is_not_there_is_found(string test, string? code)
    {
        var found = ABundle
            .WithRules(Grant)
            .AndFile("cases/test.yaml", $"version: v1\ncases:\n  - {{ name: a, {test} }}")
            .Lint()
            .SingleOrDefault(finding => finding.Where == "cases/test.yaml:3");

        Assert.Equal(code, found?.Code);
    }

    [Fact]
    public void A_case_that_cannot_be_read_is_found() =>
        Assert.Contains(
            ABundle.WithRules(Grant).AndFile("cases/test.yaml", "version: v1\ncases:\n  - { name: a }").Lint(),
            finding => finding is { Severity: LintSeverity.Error, Code: BundleErrorCodes.MissingKey, Where: "cases/test.yaml:3" }
        );

    [Fact]
    public void A_pool_that_no_topic_uses_and_a_constraint_that_no_pool_enforces_are_found()
    {
        var findings = ABundle
            .WithFiles(("topics.yaml", "version: v1\npools:\n  main: {}\n  spare: {}\ntopics:\n  test.run: {pool: main, owner: team}"))
            .AndRules(
                "rules/test.yaml",
                "id: a, match: {topic: test.run, principal: ci}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}"
            )
            .Lint();

        Assert.Equal("topics.yaml:4", Assert.Single(findings, finding => finding.Code == LintCodes.UnusedPool).Where);
        var unenforced = Assert.Single(findings, finding => finding.Code == LintCodes.ConstraintNotEnforced);
        Assert.Equal(
            ("rules/test.yaml:3", LintSeverity.Error, "ci"),
            (unenforced.Where, unenforced.Severity, unenforced.Witness!.Principal)
        );
    }

    [Theory]
    [InlineData("{env: prd}", LintSeverity.Error, 1)]
    [InlineData("{env: [dev, prd]}", LintSeverity.Warning, 1)]
    [InlineData("{env: {not: prd}}", LintSeverity.Warning, 1)]
    public void An_unknown_value_is_an_error_where_the_rule_matches_nothing_because_of_it(string labels, LintSeverity severity, int count)
    {
        List<LintFinding> findings =
        [
            .. Lint(
                    "labels: {env: {values: [dev, prod], required: true}}",
                    $"id: a, match: {{topic: test.run, labels: {labels}}}, decision: DENY, reason: because",
                    Grant
                )
                .Where(finding => finding.Code is LintCodes.UnknownValue or LintCodes.NeverMatches),
        ];

        Assert.Equal(count, findings.Count);
        Assert.Equal(severity, findings[0].Severity);
    }

    [Fact]
    public void A_witness_gets_the_decision_that_the_finding_speaks_of()
    {
        var bundle = ABundle
            .WithRules("id: a, match: {topic: test.run, labels: {kind: look}}, decision: DENY", Grant)
            .AndTopic("labels: {kind: {absent: no_match, source: payload, derive: {path: /run/0, table: [{exact: [ls], value: look}]}}}");

        LintFinding finding = Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.AvoidableRestriction);

        Assert.Equal(["grant"], bundle.Decide(new AJob(finding.Witness!)).Rules);
    }

    [Fact]
    public void A_value_that_is_never_derived_is_answered_with_all_that_are() =>
        Assert.Contains(
            "allowed: look, other.",
            Assert
                .Single(
                    Lint(
                        "labels: {kind: {source: payload, derive: {path: /run, table: [{exact: [ls], value: look}], default: other}}}",
                        "id: a, match: {topic: test.run, labels: {kind: [look, zed]}}, decision: DENY"
                    ),
                    finding => finding.Code == LintCodes.ValueNeverDerived
                )
                .Message,
            StringComparison.Ordinal
        );

    [Theory]
    [InlineData(
        """{"type": "object", "required": ["run", "user", "count"], "properties": {"run": {"type": "array", "items": {"type": "string"}}, "user": {"enum": ["ann"]}, "count": {"type": "integer", "minimum": 3}}}""",
        """{"run":["ls"],"user":"ann","count":3}"""
    )]
    [InlineData("""{"type": "object", "properties": {"run": {"enum": ["ls", "rm"]}}, "additionalProperties": false}""", """{"run":"ls"}""")]
    [InlineData(
        """{"type": "object", "required": ["user"], "properties": {"user": {"$ref": "#/$defs/user"}}, "$defs": {"user": {"type": "object", "required": ["ids"], "properties": {"ids": {"type": "array", "minItems": 1, "items": {"const": 7}}}}}}""",
        """{"run":["ls"],"user":{"ids":[7]}}"""
    )]
    [InlineData("""{"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "pattern": "^[0-9]{4}$"}}}""", null)]
    [InlineData("""{"type": "object", "properties": {"run": {"type": "integer"}}}""", null)]
    public void A_witness_has_a_payload_that_its_schema_takes_or_is_not_shown(string schema, string? payload)
    {
        var bundle = ABundle
            .WithRules("id: a, match: {topic: test.run, labels: {kind: look, env: dev}}, decision: ALLOW")
            .AndTopic("schema: test.json, labels: {kind: {source: payload, derive: {path: /run, table: [{exact: [ls], value: look}]}}}")
            .AndFile("schemas/test.json", schema);

        var witness = Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.ProducersWord).Witness;

        Assert.Equal(payload, witness is null ? null : System.Text.Encoding.UTF8.GetString(witness.Payload.Span));
        Assert.True(witness is null || bundle.Decide(new AJob(witness)).Verdict == Dispatcher.Contracts.Verdict.Allow);
    }

    private static IReadOnlyList<LintFinding> Lint(string topic, params string[] rules) => Bundle(topic, rules).Lint();

    private static ABundle Bundle(string topic, string[] rules) =>
        topic.Length == 0 ? ABundle.WithRules(rules) : ABundle.WithRules(rules).AndTopic(topic);
}
