using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>Errors in a rule, each with its line and a fix.</summary>
public class RuleErrorTests
{
    [Theory]
    [InlineData("decison: DENY", "unknown_key", "did you mean 'decision'?")]
    [InlineData("decision: DENNY", "unknown_decision", "did you mean 'DENY'?")]
    [InlineData("decision: allow", "unknown_decision", "did you mean 'ALLOW'?")]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS", "no_constraints", "add constraints, or write ALLOW.")]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {timeout: 5}", "unknown_constraint", "did you mean 'timeout_ms'?", 6)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {}", "empty", "name one or write ALLOW.", 6)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {timeout_ms: 0}", "bad_value", "write such a number, unquoted.", 6)]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {timeout_ms: 86400001}",
        "bad_value",
        "write such a number, unquoted.",
        6
    )]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {timeout_ms: \"5\"}", "bad_value", "write such a number, unquoted.", 6)]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {timeout_ms: 99999999999999999999}",
        "bad_value",
        "write such a number, unquoted.",
        6
    )]
    [InlineData(
        "decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {max_output_bytes: 1048577}",
        "bad_value",
        "write such a number, unquoted.",
        6
    )]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {allowed_hosts: []}", "empty", "name an item or remove the key.", 6)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {allowed_hosts: a.org}", "wrong_kind", "write it as [a, b].", 6)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {allowed_hosts: ['*.org']}", "bad_value", "write an allowed value.", 6)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {allowed_hosts: ['A.org']}", "bad_value", "write an allowed value.", 6)]
    [InlineData("decision: ALLOW\n    constraints: {timeout_ms: 5}", "no_effect", "change the decision or remove them.", 6)]
    [InlineData("decision: DENY\n    approval: {use_within: 1h}", "no_effect", "change the decision or remove it.", 6)]
    [InlineData("decision: REQUIRE_APPROVAL\n    approval: {use_within: 1 hour}", "bad_value", "write such a duration.", 6)]
    [InlineData("decision: REQUIRE_APPROVAL\n    approval: {use_within: 721h}", "bad_value", "write such a duration.", 6)]
    [InlineData("decision: REQUIRE_APPROVAL\n    approval: {groups: {sre: 0}}", "bad_value", "write such a number, unquoted.", 6)]
    [InlineData("decision: REQUIRE_APPROVAL\n    approval: {covers: retires}", "bad_value", "did you mean 'retries'?", 6)]
    [InlineData("decision: REQUIRE_APPROVAL\n    approval: {on_policy_change: same-basis}", "bad_value", "did you mean 'same_basis'?", 6)]
    [InlineData("decision: DENY\n    decision: ALLOW", "duplicate_key", "merge the two or remove one.", 6)]
    [InlineData("decision: &x DENY", "not_plain_yaml", "write the value out, quoted if it starts with *, & or !.")]
    [InlineData("decision: DENY\n    reason: *x", "not_plain_yaml", "write the value out, quoted if it starts with *, & or !.", 6)]
    [InlineData("decision: !!str DENY", "not_plain_yaml", "write the value out, quoted if it starts with *, & or !.")]
    [InlineData("decision: DENY\n    guardrail: yes", "bad_value", "write true or false, unquoted.", 6)]
    [InlineData("decision: DENY\n    review_by: tomorrow", "bad_value", "write it as 2026-11-01.", 6)]
    [InlineData("decision: DENY\n    effective: {from: 2026-11-01}", "bad_value", "write it as 2026-11-01T00:00:00Z.", 6)]
    [InlineData(
        "decision: DENY\n    effective: {from: '2026-11-02T00:00:00Z', until: '2026-11-01T00:00:00Z'}",
        "bad_value",
        "correct the times or remove the rule.",
        6
    )]
    [InlineData("decision: DENY\n    owners: sre", "wrong_kind", "write it as [a, b].", 6)]
    [InlineData("decision: [DENY]", "wrong_kind", "write one value.")]
    public void Error_in_a_rule_has_its_line_and_a_fix(string text, string code, string fix, int line = 5)
    {
        BundleError error = BundleErrors.Of(BundleErrors.Start + text).First(error => error.Code == code);

        Assert.Equal($"rules/a.yaml:{line}", error.Where);
        Assert.Equal(fix, error.Fix);
        Assert.NotEmpty(error.Message);
    }

    [Theory]
    [InlineData("{}", "empty")]
    [InlineData("[]", "wrong_kind")]
    [InlineData("{topics: test.run}", "unknown_key")]
    [InlineData("{topic: 'a.**.b'}", "bad_value")]
    [InlineData("{topic: 'a..b'}", "bad_value")]
    [InlineData("{topic: 'a.b*'}", "bad_value")]
    [InlineData("{topic: Test.run}", "bad_value")]
    [InlineData("{labels: {}}", "empty")]
    [InlineData("{labels: {env: []}}", "empty")]
    [InlineData("{labels: {env: [[prod]]}}", "wrong_kind")]
    [InlineData("{labels: {env: {nott: prod}}}", "unknown_key")]
    [InlineData("{labels: {env: {}}}", "bad_value")]
    [InlineData("{labels: {env: {not: prod, exists: true}}}", "bad_value")]
    [InlineData("{labels: {env: {exists: maybe}}}", "bad_value")]
    [InlineData("{risk_tags: []}", "empty")]
    [InlineData("{risk_tags: egress}", "wrong_kind")]
    [InlineData("{risk_tags: {any: []}}", "empty")]
    [InlineData("{risk_tags: {all: [a]}}", "unknown_key")]
    [InlineData("{attempt_gte: 0}", "bad_value")]
    [InlineData("{unless: {}}", "empty")]
    [InlineData("{unless: {label: {env: a}}}", "unknown_key")]
    [InlineData("{labels: {env: a, env: b}}", "duplicate_key")]
    public void Bad_match_does_not_load(string match, string code)
    {
        var error = Assert.Single(BundleErrors.Of($"version: v1\nrules:\n  - id: a\n    decision: DENY\n    match: {match}"));

        Assert.Equal(code, error.Code);
        Assert.Equal("rules/a.yaml:5", error.Where);
    }

    [Theory]
    [InlineData("decision: DENY\n    topic: test.run", "move it under 'match'.")]
    [InlineData("decision: DENY\n    labels: {env: dev}", "move it under 'match'.")]
    [InlineData("decision: DENY\n    timeout_ms: 5", "move it under 'constraints'.")]
    [InlineData("decision: DENY\n    until: 2030-01-01T00:00:00Z", "move it under 'effective'.")]
    [InlineData("decision: DENY\n    groups: {sre: 1}", "move it under 'approval'.")]
    [InlineData("decision: DENY\n    covers: retries", "move it under 'approval'.")]
    [InlineData("decision: DENY\n    on_policy_change: invalidate", "move it under 'approval'.")]
    [InlineData("decision: DENY\n    constraints: {reason: x}", "move it out of 'constraints', to the keys of the rule.")]
    [InlineData("decision: DENY\n    colour: red", "rename it to one of these, or remove it.")]
    [InlineData("decision: sometimes", "write one of these.")]
    [InlineData("<<: {decision: DENY}", "write out the keys that it stands for.")]
    [InlineData("decision:DENY: x", "write a space after the colon: decision: DENY")]
    public void Fix_of_a_rule_is_correct(string text, string fix) =>
        Assert.Contains(BundleErrors.Of(BundleErrors.Start + text), error => error.Fix == fix);

    [Theory]
    [InlineData("{topic: test.run, decision: DENY}", "move it out of 'match', to the keys of the rule.")]
    [InlineData("{topic:test.run, principal: ci}", "write a space after the colon: topic: test.run")]
    [InlineData("topic:test.run", "write a space after the colon: topic: …")]
    [InlineData("{topic: Test.Run}", "write it in lower case: test.run")]
    [InlineData("", "write it as key: value.")]
    public void Fix_of_a_match_is_correct(string match, string fix) =>
        Assert.Equal(fix, Assert.Single(BundleErrors.Of($"version: v1\nrules:\n  - id: a\n    decision: DENY\n    match: {match}")).Fix);

    [Fact]
    public void Error_describes_an_empty_value_as_empty()
    {
        Assert.StartsWith(
            "match is empty; ",
            Assert.Single(BundleErrors.Of("version: v1\nrules:\n  - id: a\n    decision: DENY\n    match:")).Message,
            StringComparison.Ordinal
        );
        Assert.StartsWith("rules is empty; ", Assert.Single(BundleErrors.Of("version: v1\nrules:")).Message, StringComparison.Ordinal);
        Assert.StartsWith(
            "review_by is empty; ",
            Assert.Single(BundleErrors.Of(BundleErrors.Start + "decision: DENY\n    review_by:")).Message,
            StringComparison.Ordinal
        );
    }
}
