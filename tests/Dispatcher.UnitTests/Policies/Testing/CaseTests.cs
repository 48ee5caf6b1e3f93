using System.Text;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Testing;

namespace Dispatcher.UnitTests.Policies.Testing;

/// <summary>The cases of a bundle: expectations are compared, and rules that can be removed without failing a case are named.</summary>
public sealed class CaseTests
{
    private const string Rules = """
        version: v1
        rules:
          - { id: allow-dev, match: { topic: test.run, labels: { env: dev } }, decision: ALLOW }
          - { id: limit-dev, match: { topic: test.run, labels: { env: dev } }, decision: ALLOW_WITH_CONSTRAINTS,
                constraints: { timeout_ms: 1000, allowed_hosts: [a.example] } }
          - { id: ask-prod, match: { topic: test.run, labels: { env: prod } }, decision: REQUIRE_APPROVAL,
                approval: { groups: { sre: 2 } } }
        """;

    [Fact]
    public void Case_passes_when_every_expected_value_is_as_decided()
    {
        var report = Run(
            """
              - name: dev
                job: { topic: test.run, principal: ci, labels: { env: dev } }
                expect: { verdict: ALLOW_WITH_CONSTRAINTS, rules: [limit-dev], reason: allowed by limit-dev,
                    constraints: { allowed_hosts: [a.example], timeout_ms: 1000 } }
              - name: prod
                job: { topic: test.run, principal: ci, labels: { env: prod } }
                expect: { verdict: REQUIRE_APPROVAL, constraints: {}, approval: { groups: { sre: 2 } } }
            """
        );

        Assert.True(report.Passed);
        Assert.Equal(["dev", "prod"], report.Cases.Select(test => test.Name));
    }

    [Theory]
    [InlineData("verdict: DENY", "verdict: expected DENY, is ALLOW_WITH_CONSTRAINTS (allowed by limit-dev)")]
    [InlineData("verdict: ALLOW_WITH_CONSTRAINTS, rules: [allow-dev]", "rules: expected [allow-dev], is [limit-dev]")]
    [InlineData("verdict: ALLOW_WITH_CONSTRAINTS, reason: because", "reason: expected because, is allowed by limit-dev")]
    [InlineData(
        "verdict: ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 2000 }",
        "constraints: expected timeout_ms 2000, is allowed_hosts [a.example], timeout_ms 1000"
    )]
    [InlineData(
        "verdict: ALLOW_WITH_CONSTRAINTS, constraints: {}",
        "constraints: expected none, is allowed_hosts [a.example], timeout_ms 1000"
    )]
    [InlineData(
        "verdict: ALLOW_WITH_CONSTRAINTS, approval: { groups: { sre: 1 } }",
        "approval: expected groups [sre 1], exclude [requester], decide_within 1.00:00:00, use_within 01:00:00, covers attempt, "
            + "on_policy_change same_basis, is none"
    )]
    public void Failed_case_names_the_differences(string expect, string difference)
    {
        var result = Assert.Single(
            Run($"  - {{ name: dev, job: {{ topic: test.run, principal: ci, labels: {{ env: dev }} }}, expect: {{ {expect} }} }}").Cases
        );

        Assert.Equal([difference], result.Differences);
        Assert.Equal("cases/test.yaml:3", result.Where);
    }

    /// <summary>Settings of an approval that a case omits have their defaults and are compared too.</summary>
    [Theory]
    [InlineData("covers: retries, on_policy_change: invalidate", null)]
    [InlineData(
        "on_policy_change: invalidate",
        "covers attempt, on_policy_change invalidate, is groups [], exclude [requester], decide_within 1.00:00:00, use_within "
            + "01:00:00, covers retries, on_policy_change invalidate"
    )]
    [InlineData(
        "covers: retries",
        "covers retries, on_policy_change same_basis, is groups [], exclude [requester], decide_within 1.00:00:00, use_within "
            + "01:00:00, covers retries, on_policy_change invalidate"
    )]
    public void Case_compares_the_coverage_of_an_approval(string approval, string? difference)
    {
        var report = Run(
            $"  - {{ name: a, job: {{ topic: test.run, principal: ci }}, expect: {{ verdict: REQUIRE_APPROVAL, approval: {{ "
                + $"{approval} }} }} }}",
            "version: v1\nrules: [ { id: a, match: { topic: test.run }, decision: REQUIRE_APPROVAL, approval: { covers: retries, "
                + "on_policy_change: invalidate } } ]"
        );

        string[] expected = difference is null
            ? []
            : [$"approval: expected groups [], exclude [requester], decide_within 1.00:00:00, use_within 01:00:00, {difference}"];
        Assert.Equal(expected, Assert.Single(report.Cases).Differences);
    }

    [Fact]
    public void Rule_is_covered_only_if_a_case_fails_without_it()
    {
        var report = Run(
            "  - { name: dev, job: { topic: test.run, principal: ci, labels: { env: dev } }, expect: { verdict: ALLOW_WITH_CONSTRAINTS } }"
        );

        Assert.Equal(
            [("allow-dev", 1, false), ("ask-prod", 0, false), ("limit-dev", 1, true)],
            report.Rules.Select(rule => (rule.Id, rule.Cases, rule.IsMissed))
        );
    }

    /// <summary>The report about a rule agrees with the decision of the bundle without it.</summary>
    [Fact]
    public void Coverage_agrees_with_a_bundle_without_the_rule()
    {
        const string Item = "\n  - ";
        const string Case =
            "  - { name: dev, job: { topic: test.run, principal: ci, labels: { env: dev } }, expect: { verdict: "
            + "ALLOW_WITH_CONSTRAINTS, constraints: { timeout_ms: 1000, allowed_hosts: [a.example] } } }";
        var items = Rules.Split(Item);

        foreach (var rule in Run(Case).Rules)
        {
            var without = string.Join(Item, items.Where(item => !item.Contains(rule.Id, StringComparison.Ordinal)));
            Assert.Equal(rule.IsMissed, !Run(Case, without).Passed);
        }
    }

    [Fact]
    public void YAML_payload_is_decided_as_the_equivalent_JSON()
    {
        const string Topics = """
            version: v1
            pools: { main: {} }
            topics:
              test.run: { pool: main, owner: team, labels: { kind: { source: payload, derive: { path: /a/1, table: [ { exact: ["yes"],
                  value: said } ] } } } }
            """;
        var report = Run(
            "  - { name: derived, job: { topic: test.run, principal: ci, payload: { a: [1.5, \"yes\", true, null] } }, expect: { "
                + "verdict: ALLOW } }",
            "version: v1\nrules: [ { id: a, match: { labels: { kind: said } }, decision: ALLOW } ]",
            Topics
        );

        Assert.True(report.Passed);
    }

    [Theory]
    [InlineData("  - { job: { topic: test.run, principal: ci }, expect: { verdict: ALLOW } }", "cases/test.yaml:3", "missing_key")]
    [InlineData("  - { name: a, job: { topic: test.run }, expect: { verdict: ALLOW } }", "cases/test.yaml:3", "missing_key")]
    [InlineData(
        "  - { name: a, job: { topic: test.run, principal: ci }, expect: { verdict: MAYBE } }",
        "cases/test.yaml:3",
        "unknown_decision"
    )]
    [InlineData("  - { name: a, job: { topic: test.run, principal: ci }, expct: {} }", "cases/test.yaml:3", "unknown_key")]
    [InlineData(
        "  - { name: a, job: { topic: test.run, principal: ci, labels: { env: no } }, expect: { verdict: ALLOW } }",
        "cases/test.yaml:3",
        "not_text"
    )]
    [InlineData(
        "  - { name: a, job: { topic: test.run, principal: ci, payload: { a: yes } }, expect: { verdict: ALLOW } }",
        "cases/test.yaml:3",
        "not_text"
    )]
    [InlineData(
        "  - { name: a, job: { topic: test.run, principal: ci }, expect: { verdict: DENY, constraints: { timeout: 1 } } }",
        "cases/test.yaml:3",
        "unknown_constraint"
    )]
    public void Unreadable_case_is_an_error_and_no_case_runs(string text, string where, string code)
    {
        var report = Run(text);

        Assert.Contains((where, code), report.Errors.Select(error => (error.Where, error.Code)));
        Assert.Empty(report.Cases);
        Assert.False(report.Passed);
    }

    [Fact]
    public void Case_name_must_be_unique()
    {
        const string Case =
            "  - { name: a, job: { topic: test.run, principal: ci, labels: { env: dev } }, expect: { verdict: ALLOW_WITH_CONSTRAINTS } }\n";

        var error = Assert.Single(Run(Case + Case).Errors);

        Assert.Equal(("cases/test.yaml:4", BundleErrorCodes.DuplicateId), (error.Where, error.Code));
    }

    private static PolicyTestReport Run(string cases, string rules = Rules, string? topics = null)
    {
        const string PlainTopics = """
            version: v1
            pools: { main: { enforcers: [allowed_hosts, timeout_ms] } }
            topics: { test.run: { pool: main, owner: team } }
            """;
        return PolicyTest.Run(
            [
                File("topics.yaml", topics ?? PlainTopics),
                File("rules/test.yaml", rules),
                File("cases/test.yaml", "version: v1\ncases:\n" + cases),
            ],
            ABundle.Now
        );

        static BundleFile File(string path, string text) => new(path, Encoding.UTF8.GetBytes(text));
    }
}
