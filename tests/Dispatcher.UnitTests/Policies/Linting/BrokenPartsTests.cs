using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>
/// A load error hides no other mistake: lint continues with the intended meaning, or omits only findings that depend on it.
/// </summary>
public class BrokenPartsTests
{
    private const string Topics = """
        version: v1
        pools:
          main: { enforcers: [timeout_ms] }
        topics:
          test.run:
            pool: main
            owner: team
            risk: high
            schema: test.json
            timeouts: { start: 60s, run: 2m, heartbeat: 5s, overall: 1h }
            max_attempts: 3
            idempotent: false
            tags: { optional: [pii] }
            labels:
              env: { values: [dev, prod] }
              tier: { absent: no_match }
              kind: { source: payload, derive: { path: /k, table: [{ exact: [x], value: exx }], default: other } }
          test.alone: { pool: main, owner: team, schema: test.json }
        """;

    private const string Rules = """
        version: v1
        rules:
          - { id: word, match: { topic: test.run, labels: { env: dev } }, decision: ALLOW }
          - { id: tier, match: { topic: test.run, labels: { tier: gold } }, decision: DENY, reason: r }
          - { id: label, match: { topic: test.run, labels: { colour: red } }, decision: DENY, reason: r }
          - { id: tag, match: { topic: test.run, risk_tags: [ppi], principal: a }, decision: DENY, reason: r }
          - { id: value, match: { topic: test.run, labels: { env: [dev, staging] }, principal: b }, decision: DENY, reason: r }
          - { id: derived, match: { topic: test.run, labels: { kind: [exx, zed] }, principal: c }, decision: DENY, reason: r }
          - { id: hosts, match: { topic: test.run, principal: d }, decision: ALLOW_WITH_CONSTRAINTS, constraints: {allowed_hosts: [a.org]} }
          - { id: one, match: { topic: test.run, principal: e }, decision: DENY, reason: r }
          - { id: two, match: { topic: 'test.r*', principal: [e] }, decision: DENY, reason: r }
          - { id: two, match: { topic: test.run, principal: e }, decision: DENY, reason: r }
        """;

    private static readonly ABundle Whole = ABundle.WithFiles(
        ("topics.yaml", Topics),
        ("rules/a.yaml", Rules.Replace("'test.r*'", "'test.*'", StringComparison.Ordinal)),
        ("schemas/test.json", """{ "type": "object" }""")
    );
    private static readonly IReadOnlyList<string> Codes = CodesOf(Whole);

    [Fact]
    public void Finds_each_code_without_another_mistake()
    {
        string[] all =
        [
            "unregistered_label",
            "unregistered_tag",
            "unknown_value",
            "value_never_derived",
            "producers_word",
            "avoidable_restriction",
            "constraint_not_enforced",
            "same_rule",
            "topic_without_grant",
        ];

        Assert.Superset(all.ToHashSet(), Codes.ToHashSet());
    }

    [Theory]
    [InlineData("run: 2m", "run: 2 m", "bad_value", 10)]
    [InlineData("risk: high", "risk: high\n    colour: red", "unknown_key", 9)]
    [InlineData("risk: high", "risk: high\n    risk: low", "duplicate_key", 9)]
    [InlineData("risk: high", "risk: hihg", "bad_value", 8)]
    [InlineData("max_attempts: 3", "max_attempts: 1000", "bad_value", 11)]
    [InlineData("idempotent: false", "idempotent: yes", "bad_value", 12)]
    [InlineData("schema: test.json\n    t", "schema: tset.json\n    t", "unknown_schema", 9)]
    [InlineData("pool: main\n", "pool: mian\n", "unknown_pool", 6)]
    [InlineData("    owner: team\n", "", "missing_key", 6)]
    [InlineData("values: [dev, prod]", "values: [dev, prod], requird: false", "unknown_key", 15)]
    [InlineData("values: [dev, prod]", "values: [dev, prod, 3]", "not_text", 15)]
    [InlineData("absent: no_match", "absent: nomatch", "bad_value", 16)]
    [InlineData("optional: [pii]", "optionl: [pii]", "unknown_key", 13)]
    [InlineData("tags: { optional: [pii] }", "tags: [pii]", "wrong_kind", 13)]
    [InlineData("labels:\n", "lables:\n", "unknown_key", 14)]
    [InlineData("labels:\n", "labels: &all\n", "not_plain_yaml", 14)]
    [InlineData("path: /k,", "path: k,", "bad_value", 17)]
    [InlineData("{ exact: [x],", "{ exact: [x], prefix: [x],", "bad_value", 17)]
    [InlineData("[timeout_ms]", "[timout_ms]", "unknown_constraint", 3)]
    [InlineData("version: v1", "version: v2", "bad_value", 1)]
    [InlineData("topics:\n", "extra: 1\ntopics:\n", "unknown_key", 4)]
    public void Mistake_in_the_registry_hides_no_other_finding(string text, string broken, string code, int line)
    {
        var bundle = Whole.AndFile("topics.yaml", Once(Topics, text, broken));

        Assert.Equal([.. Codes.Append(code).Order(StringComparer.Ordinal)], CodesOf(bundle));
        Assert.Contains(bundle.Lint(), finding => finding.Code == code && finding.Where == $"topics.yaml:{line}");
    }

    [Theory]
    [InlineData("enforcers: [timeout_ms]", "enforcers: [quota]", "constraint_not_enforced")]
    [InlineData("pool: main\n", "pool: [main]\n", "constraint_not_enforced")]
    [InlineData("absent: no_match", "absent: [no_match]", "avoidable_restriction")]
    [InlineData("source: payload, derive", "source: [payload], derive", "value_never_derived")]
    public void Only_findings_that_depend_on_the_broken_part_are_omitted(string text, string broken, string lost) =>
        Assert.Equal(
            Codes.Where(code => code != lost).ToHashSet(),
            CodesOf(Whole.AndFile("topics.yaml", Once(Topics, text, broken))).Intersect(Codes).ToHashSet()
        );

    [Theory]
    [InlineData("prio: 1", "unknown_key")]
    [InlineData("decision: DENY", "duplicate_key")]
    [InlineData("owners: sre", "wrong_kind")]
    [InlineData("guardrail: yes", "bad_value")]
    [InlineData("constraints: {timeout_ms: 5}", "no_effect")]
    [InlineData("effective: {from: tomorrow}", "bad_value")]
    public void Mistake_in_a_rule_hides_no_other_of_the_rule(string key, string code)
    {
        var codes = CodesOf(
            Whole.AndRules(
                "rules/a.yaml",
                $"id: a, match: {{topic: test.run, labels: {{colour: red, env: stagin}}, risk_tags: [ppi]}}, review_by: "
                    + $"2025-01-01, decision: DENY, {key}",
                $"id: b, match: {{topic: test.rum}}, decision: DENY, {key}"
            )
        );

        Assert.Superset(
            new HashSet<string>([code, "unregistered_label", "unknown_value", "unregistered_tag", "review_overdue", "unregistered_topic"]),
            codes.ToHashSet()
        );
    }

    [Theory]
    [InlineData(
        "version: v1\nrules:\n  - { id: x, match: { topic: test.run, principal: a, principal: b }, decision: DENY, reason: r }",
        false
    )]
    [InlineData("version: v1\nrules:\n  - { id: x, match: { topic: test.run, principal: &a ci }, decision: DENY, reason: r }", false)]
    [InlineData("version: v1\nrules:\n  - { id: x, match: { topic: test.run, principal: !!str ci }, decision: DENY, reason: r }", false)]
    [InlineData("version: v1\nrules:\n  - { id: x, match: { topic: test.run }, decision: DENY, reason: r", false)]
    [InlineData("version: v1\nrules:\n  - test.run", false)]
    [InlineData("version: v1\nrules: [", false)]
    [InlineData("version: v1\nrules:\n  - { id: x, match: { topic: test.alone }, decision: DENY, reason: r", true)]
    [InlineData("version: v1\nrules:\n  - { id: x, match: { topic: 'test.*' }, decision: DENY, reason: r", true)]
    [InlineData("version: v1\nrules:\n  - { id: x, match: { principal: ci }, decision: ALLOW, reason: r", true)]
    [InlineData("version: v1\nrules:\n  x: { match: { topic: test.alone }, decision: ALLOW }", true)]
    [InlineData("version: v1\nrules: []\nrules:\n  - { id: x, match: { topic: test.alone }, decision: ALLOW }", true)]
    public void Unreadable_rule_hides_only_topics_that_it_may_be_for(string rules, bool isHidden)
    {
        var bundle = Whole.AndFile("rules/a.yaml", Rules).AndFile("rules/broken.yaml", rules);

        Assert.Equal(!isHidden, bundle.Lint().Any(finding => finding is { Code: LintCodes.TopicWithoutRule, Where: "topics.yaml:18" }));
    }

    [Fact]
    public void Rule_with_a_misspelt_word_covers_no_other()
    {
        var codes = CodesOf(
            Whole.AndRules(
                "rules/a.yaml",
                "id: misspelt, match: {topic: test.run, risk_tags: [ppi]}, decision: DENY, reason: r",
                "id: a, match: {topic: test.run, principal: a}, decision: ALLOW",
                "id: b, match: {topic: test.run, principal: b}, decision: DENY, reason: r"
            )
        );

        Assert.Contains("unregistered_tag", codes);
        Assert.DoesNotContain("shadowed", codes);
    }

    [Fact]
    public void Topic_with_an_invalid_name_is_not_suggested()
    {
        var registry = Topics.Replace("test.alone", "test.a b", StringComparison.Ordinal);

        LintFinding finding = Assert.Single(
            Whole
                .AndFile("topics.yaml", registry)
                .AndRules("rules/a.yaml", "id: a, match: {topic: tset.run}, decision: DENY, reason: r")
                .Lint(),
            finding => finding.Code == LintCodes.UnregisteredTopic
        );

        Assert.StartsWith("topic tset.run is not in topics.yaml; allowed: test.run.", finding.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("topics.yaml", "version: v1\ntopics: [")]
    [InlineData("topics.yaml", "version: v1\npools: {main: {}}\ntopics: {test.run: [x]}")]
    [InlineData("rules/broken.yaml", "version: v1\nrules: [ {match: {}}, ")]
    [InlineData("rules/broken.yaml", "version: v1\nrules:\n  - {id: x, match: {topic: test.run}, decision: REFUSE}")]
    [InlineData(
        "rules/broken.yaml",
        "version: v1\nrules:\n  - {id: x, match: {topic: test.run, principal: &x ci}, decision: DENY, reason: because}"
    )]
    [InlineData(
        "rules/broken.yaml",
        "version: v1\nrules:\n  - {id: x, match: {topic: test.run, principal: *x}, decision: DENY, reason: because}"
    )]
    [InlineData(
        "rules/broken.yaml",
        "version: v1\nrules:\n  - {id: x, match: {topic: test.run, principal: ci, principal: cd}, decision: DENY, reason: because}"
    )]
    [InlineData("rules/broken.yaml", "version: v1\nrules: []\nrules: [{id: b, match: {topic: test.run}, decision: ALLOW}]")]
    public void Consequences_of_a_broken_part_are_not_reported(string path, string text)
    {
        var findings = ABundle
            .WithRules(
                "id: a, match: {topic: test.run, labels: {env: dev}}, decision: DENY, reason: because",
                "id: b, match: {topic: test.run, principal: root}, decision: REQUIRE_APPROVAL, reason: because"
            )
            .AndTopic("labels: {env: {}}, timeouts: {start: 1s, run: 1s, heartbeat: 1s, overall: 1h}, schema: test.json")
            .AndFile("schemas/test.json", "{\"type\":\"object\"}")
            .AndFile(path, text)
            .Lint();

        var only = Assert.Single(findings);
        Assert.StartsWith(path, only.Where, StringComparison.Ordinal);
    }

    private static string Once(string text, string old, string replacement)
    {
        var at = text.IndexOf(old, StringComparison.Ordinal);
        return text.Remove(at, old.Length).Insert(at, replacement);
    }

    private static IReadOnlyList<string> CodesOf(ABundle bundle) =>
        [.. bundle.Lint().Select(finding => finding.Code).Order(StringComparer.Ordinal)];
}
