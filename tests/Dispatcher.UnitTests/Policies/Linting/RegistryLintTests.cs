using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>Findings in the registry, in pools and in cases.</summary>
public class RegistryLintTests
{
    private const string Grant = "id: grant, match: {topic: test.run}, decision: ALLOW";

    [Theory]
    [InlineData("topic_without_rule", "topics.yaml:5")]
    [InlineData(
        "topic_without_grant",
        "topics.yaml:5",
        "id: a, match: {topic: test.run}, decision: DENY",
        "id: b, match: {topic: test.run, labels: {x: a}, unless: {labels: {x: a}}}, decision: ALLOW"
    )]
    [InlineData("default_timeouts", "topics.yaml:5", Grant)]
    public void Reports_missing_registry_parts_at_the_topic(string code, string where, params string[] rules) =>
        Assert.Equal(where, Assert.Single(ABundle.WithTopic("timeouts: {run: 1m}", rules).Lint(), finding => finding.Code == code).Where);

    [Theory]
    [InlineData("high", LintSeverity.Warning)]
    [InlineData("medium", LintSeverity.Info)]
    public void Topic_without_a_schema_is_reported_by_its_risk(string risk, LintSeverity severity)
    {
        LintFinding finding = Assert.Single(
            ABundle.WithTopic($"risk: {risk}", Grant).Lint(),
            finding => finding.Code == LintCodes.NoSchema
        );

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

    [Fact]
    public void Topic_without_rules_is_reported_despite_a_rule_without_match() =>
        Assert.Contains(
            ABundle.WithRules("id: odd, decision: ALLOW").Lint(),
            finding => finding is { Code: LintCodes.TopicWithoutRule, Where: "topics.yaml:5" }
        );

    [Fact]
    public void Unused_pool_and_unenforced_constraint_are_reported()
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
    [InlineData("job: { topic: test.run, principal: a }, expect: { verdict: ALLOW, rules: [grnat] }", "unknown_rule")]
    [InlineData("job: { topic: test.rum, principal: a }, expect: { verdict: ALLOW }", "unregistered_topic")]
    [InlineData("job: { topic: test.rum, principal: a }, expect: { verdict: DENY, reason: unknown_topic }", null)]
    [InlineData("job: { topic: test.run, principal: a }, expect: { verdict: ALLOW, rules: [grant] }", null)]
    public void Case_with_an_unknown_name_is_reported(string test, string? code)
    {
        var found = ABundle
            .WithRules(Grant)
            .AndFile("cases/test.yaml", $"version: v1\ncases:\n  - {{ name: a, {test} }}")
            .Lint()
            .SingleOrDefault(finding => finding.Where == "cases/test.yaml:3");

        Assert.Equal(code, found?.Code);
    }

    [Fact]
    public void Unreadable_case_is_reported() =>
        Assert.Contains(
            ABundle.WithRules(Grant).AndFile("cases/test.yaml", "version: v1\ncases:\n  - { name: a }").Lint(),
            finding => finding is { Severity: LintSeverity.Error, Code: BundleErrorCodes.MissingKey, Where: "cases/test.yaml:3" }
        );
}
