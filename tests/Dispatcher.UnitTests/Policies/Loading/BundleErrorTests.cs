using System.Text;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Loading;

public class BundleErrorTests
{
    private const string Topics = "version: v1\npools: {main: {enforcers: [timeout_ms]}}\ntopics: {test.run: {pool: main, owner: team}}";
    private const string Rules = "version: v1\nrules: []";

    /// <summary>A rules file whose first rule starts on line 3; the tested line is the file's line 5.</summary>
    private const string Start = "version: v1\nrules:\n  - id: a\n    match: {topic: test.run}\n    ";

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
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {allowed_hosts: ['*.org']}", "bad_value", "change it.", 6)]
    [InlineData("decision: ALLOW_WITH_CONSTRAINTS\n    constraints: {allowed_hosts: ['A.org']}", "bad_value", "change it.", 6)]
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
    public void An_error_in_a_rule_has_its_line_and_a_fix(string text, string code, string fix, int line = 5)
    {
        BundleError error = Errors(Start + text).First(error => error.Code == code);

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
    public void A_bad_match_does_not_load(string match, string code)
    {
        var error = Assert.Single(Errors($"version: v1\nrules:\n  - id: a\n    decision: DENY\n    match: {match}"));

        Assert.Equal(code, error.Code);
        Assert.Equal("rules/a.yaml:5", error.Where);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("False")]
    [InlineData("yes")]
    [InlineData("NO")]
    [InlineData("on")]
    [InlineData("n")]
    [InlineData("null")]
    [InlineData("~")]
    [InlineData("")]
    [InlineData("1")]
    [InlineData("-1.5")]
    [InlineData("1e3")]
    [InlineData("0x1F")]
    [InlineData("0o17")]
    [InlineData("1_000")]
    [InlineData("12:30")]
    [InlineData(".inf")]
    [InlineData(".NaN")]
    public void A_label_value_that_YAML_reads_as_something_else_must_be_quoted(string value)
    {
        var rules = "version: v1\nrules:\n  - id: a\n    decision: DENY\n    match:\n      labels:\n        env: ";

        var error = Assert.Single(Errors(rules + value));
        Assert.Equal("not_text", error.Code);
        Assert.Equal("rules/a.yaml:7", error.Where);
        Assert.Empty(Errors($"{rules}\"{value}\""));
        Assert.Empty(Errors($"{rules}'{value}'"));
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("1.2.3")]
    [InlineData("2026-11-23")]
    [InlineData("nope")]
    [InlineData("--version")]
    public void Any_other_plain_text_is_text(string value) =>
        Assert.Empty(Errors($"version: v1\nrules: [{{id: a, decision: DENY, match: {{labels: {{env: {value}}}}}}}]"));

    [Theory]
    [InlineData("decision: DENY\n    topic: test.run", "move it under 'match'.")]
    [InlineData("decision: DENY\n    labels: {env: dev}", "move it under 'match'.")]
    [InlineData("decision: DENY\n    timeout_ms: 5", "move it under 'constraints'.")]
    [InlineData("decision: DENY\n    until: 2030-01-01T00:00:00Z", "move it under 'effective'.")]
    [InlineData("decision: DENY\n    groups: {sre: 1}", "move it under 'approval'.")]
    [InlineData("decision: DENY\n    constraints: {reason: x}", "move it out of 'constraints', to the keys of the rule.")]
    [InlineData("decision: DENY\n    colour: red", "rename it to one of these, or remove it.")]
    [InlineData("decision: sometimes", "write one of these.")]
    [InlineData("<<: {decision: DENY}", "write out the keys that it stands for.")]
    [InlineData("decision:DENY: x", "write a space after the colon: decision: DENY")]
    public void A_fix_does_not_make_it_worse(string text, string fix) => Assert.Contains(Errors(Start + text), error => error.Fix == fix);

    [Theory]
    [InlineData("{topic: test.run, decision: DENY}", "move it out of 'match', to the keys of the rule.")]
    [InlineData("{topic:test.run, principal: ci}", "write a space after the colon: topic: test.run")]
    [InlineData("topic:test.run", "write a space after the colon: topic: …")]
    [InlineData("{topic: Test.Run}", "write it in lower case: test.run")]
    [InlineData("", "write it as key: value.")]
    public void A_fix_of_a_match_does_not_make_it_worse(string match, string fix) =>
        Assert.Equal(fix, Assert.Single(Errors($"version: v1\nrules:\n  - id: a\n    decision: DENY\n    match: {match}")).Fix);

    [Fact]
    public void An_empty_value_is_called_empty()
    {
        Assert.StartsWith(
            "match is empty; ",
            Assert.Single(Errors("version: v1\nrules:\n  - id: a\n    decision: DENY\n    match:")).Message,
            StringComparison.Ordinal
        );
        Assert.StartsWith("rules is empty; ", Assert.Single(Errors("version: v1\nrules:")).Message, StringComparison.Ordinal);
        Assert.StartsWith(
            "review_by is empty; ",
            Assert.Single(Errors(Start + "decision: DENY\n    review_by:")).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("    match: { topic: test.run\n    decision: DENY\n", "rules/a.yaml:4", "a bracket that opens here is not closed")]
    [InlineData("    match: { topic: test.run", "rules/a.yaml:4", "a bracket that opens here is not closed")]
    [InlineData("    decision: DENY\n    match: { labels: { env: dev }\n", "rules/a.yaml:5", "a bracket that opens here is not closed")]
    [InlineData("    match:\n\t  topic: test.run\n", "rules/a.yaml:5", "a tab stands in the indentation")]
    [InlineData("    reason: \"never\n    decision: DENY\n", "rules/a.yaml:4", "double-quoted")]
    public void What_is_no_YAML_has_the_line_of_the_mistake_and_a_reason(string text, string where, string reason)
    {
        var error = Assert.Single(Errors("version: v1\nrules:\n  - id: a\n" + text));

        Assert.Equal(("bad_yaml", where), (error.Code, error.Where));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_rule_that_is_no_YAML_does_not_hide_the_mistakes_before_and_after_it()
    {
        const string Broken =
            "version: v1\nrules:\n  - {id: a, match: {topic: test.run}, decison: DENY}\n  - id: b\n    match: { topic: test.run\n    decision: DENY\n  - id: c\n   match: x\n  - {id: d, match: {topic: test.run}, decision: DENNY}\n  - { id: e\n";

        Assert.Equal(
            [
                "bad_yaml rules/a.yaml:5",
                "bad_yaml rules/a.yaml:8",
                "bad_yaml rules/a.yaml:10",
                "unknown_key rules/a.yaml:3",
                "unknown_decision rules/a.yaml:9",
            ],
            Errors(Broken).Select(error => $"{error.Code} {error.Where}")
        );
    }

    [Fact]
    public void A_rule_id_stands_once_in_all_files()
    {
        var rules = "version: v1\nrules:\n  - {id: a, decision: DENY, match: {topic: test.run}}";

        var error = Assert.Single(
            ABundle.WithFiles(("topics.yaml", Topics), ("rules/b.yaml", rules), ("rules/a.yaml", rules)).Load().Errors
        );

        Assert.Equal("duplicate_id", error.Code);
        Assert.Equal("rules/b.yaml:3", error.Where);
        Assert.Contains("rules/a.yaml:3", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("version: v1", "missing_key", 1)]
    [InlineData("rules: []", "missing_key", 1)]
    [InlineData("version: v2\nrules: []", "bad_value", 1)]
    [InlineData("version: v1\nrules:\n  - {}", "missing_key", 3)]
    [InlineData("version: v1\nrules: {}", "wrong_kind", 2)]
    [InlineData("version: v1\nrules: [a]", "wrong_kind", 2)]
    [InlineData("version: v1\nrules: []\n---\nrules: []", "bad_yaml", 3)]
    [InlineData("version: v1\nrules: [", "bad_yaml", 2)]
    [InlineData("version: v1\n\trules: []", "bad_yaml", 2)]
    [InlineData("", "empty", 1)]
    [InlineData("# nothing", "empty", 1)]
    [InlineData("- a", "wrong_kind", 1)]
    [InlineData("version: v1\nrules: []\n1: x", "not_text", 3)]
    [InlineData("version: v1\nrules: []\n<<: x", "unknown_key", 3)]
    [InlineData("version: v1\nrules: []\n[a]: x", "wrong_kind", 3)]
    public void A_bad_file_does_not_load(string text, string code, int line) =>
        Assert.Contains(Errors(text), error => error.Code == code && error.Where == $"rules/a.yaml:{line}");

    [Fact]
    public void Deep_nesting_large_files_and_other_encodings_are_errors()
    {
        BundleFile Rule(byte[] content) => new("rules/a.yaml", content);
        BundleFile topics = new("topics.yaml", Encoding.UTF8.GetBytes(Topics));

        Assert.Equal("bad_yaml", Assert.Single(Errors("version: " + new string('[', 5000))).Code);
        Assert.Equal("unreadable", Assert.Single(Bundle.Load([topics, Rule([0xff, 0xfe, 0x00])]).Errors).Code);
        Assert.Equal("unreadable", Assert.Single(Bundle.Load([topics, Rule(new byte[2 * 1024 * 1024])]).Errors).Code);
        Assert.Empty(Bundle.Load([topics, Rule([0xef, 0xbb, 0xbf, .. Encoding.UTF8.GetBytes(Rules)])]).Errors);
    }

    [Theory]
    [InlineData("risc: low", "unknown_key")]
    [InlineData("risk: severe", "bad_value")]
    [InlineData("idempotent: no", "bad_value")]
    [InlineData("max_attempts: 0", "bad_value")]
    [InlineData("timeouts: {run: 25h}", "bad_value")]
    [InlineData("timeouts: {run: 99}", "bad_value")]
    [InlineData("timeouts: {heartbeat: 0s}", "bad_value")]
    [InlineData("timeouts: {run: 26m}", "bad_value")]
    [InlineData("timeouts: {overall: 169h}", "bad_value")]
    [InlineData("timeouts: {rum: 1s}", "unknown_key")]
    [InlineData("tags: [a]", "wrong_kind")]
    [InlineData("labels: {env: {values: [1]}}", "not_text")]
    [InlineData("labels: {env: {values: []}}", "empty")]
    [InlineData("labels: {env: {absent: yes_match}}", "bad_value")]
    [InlineData("labels: {env: {source: worker}}", "bad_value")]
    [InlineData("labels: {env: {source: payload}}", "missing_key")]
    [InlineData("labels: {env: {derive: {path: /a, table: []}}}", "no_effect")]
    [InlineData("labels: {env: {source: payload, derive: {path: a, table: []}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{value: x}]}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{exact: [a], prefix: [a], value: x}]}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{prefix: [], value: x}]}}}", "empty")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{prefix: [a]}]}}}", "missing_key")]
    [InlineData("labels: {env: {values: [x], source: payload, derive: {path: /a, table: [{prefix: [a], value: z}]}}}", "bad_value")]
    [InlineData("labels: {env: {values: [x], source: payload, derive: {path: /a, table: [], default: z}}}", "bad_value")]
    public void A_bad_topic_does_not_load(string entry, string code)
    {
        var error = Assert.Single(ABundle.WithRules().AndTopic(entry).Load().Errors);

        Assert.Equal(code, error.Code);
        Assert.Equal("topics.yaml:5", error.Where);
    }

    [Theory]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {pool: mian, owner: team}}", "unknown_pool")]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {pool: main}}", "missing_key")]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {owner: team}}", "missing_key")]
    [InlineData("pools: {main: {}}\ntopics: {test: {pool: main, owner: team}}", "bad_value")]
    [InlineData("pools: {main: {}}\ntopics: {test.run: {pool: main, owner: The Team}}", "bad_value")]
    [InlineData("pools: {main: {enforcers: [timeout]}}\ntopics: {test.run: {pool: main, owner: team}}", "unknown_constraint")]
    [InlineData("pools: {Main Pool: {}}\ntopics: {}", "bad_value")]
    [InlineData("topics: {}", "missing_key")]
    public void A_bad_registry_does_not_load(string text, string code) =>
        Assert.Contains(
            ABundle.WithFiles(("rules/a.yaml", Rules), ("topics.yaml", "version: v1\n" + text)).Load().Errors,
            error => error.Code == code
        );

    [Fact]
    public void Missing_unknown_and_double_files_are_errors()
    {
        BundleFile topics = new("topics.yaml", Encoding.UTF8.GetBytes(Topics));
        BundleFile rules = new("rules/a.yaml", Encoding.UTF8.GetBytes(Rules));

        Assert.Equal(["missing_file", "missing_file"], Bundle.Load([]).Errors.Select(error => error.Code));
        Assert.Equal("missing_file", Assert.Single(Bundle.Load([rules]).Errors).Code);
        Assert.Equal("missing_file", Assert.Single(Bundle.Load([topics]).Errors).Code);
        Assert.Equal("unknown_file", Assert.Single(Bundle.Load([topics, rules, new BundleFile("rules/b.yml", default)]).Errors).Code);
        Assert.Contains(Bundle.Load([topics, rules, rules]).Errors, error => error.Code == "unknown_file");
    }

    [Fact]
    public void All_errors_of_all_files_are_listed_at_once_and_nothing_is_loaded()
    {
        var load = ABundle
            .WithFiles(
                ("rules/a.yaml", Start + "decison: DENY\n    reason: yes"),
                ("rules/b.yaml", "version: v1\nrules: ["),
                ("topics.yaml", "version: v1\npools: {}\ntopics: {test.run: {pool: main, owner: team}}")
            )
            .Load();

        Assert.Null(load.Bundle);
        Assert.Equal(
            ["bad_yaml@rules/b.yaml:2", "not_text@rules/a.yaml:6", "unknown_key@rules/a.yaml:5", "unknown_pool@topics.yaml:3"],
            load.Errors.Select(error => $"{error.Code}@{error.Where}").Order(StringComparer.Ordinal)
        );
    }

    private static IReadOnlyList<BundleError> Errors(string rules) =>
        ABundle.WithFiles(("topics.yaml", Topics), ("rules/a.yaml", rules)).Load().Errors;
}
