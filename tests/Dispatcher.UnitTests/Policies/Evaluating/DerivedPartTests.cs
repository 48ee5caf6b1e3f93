using Dispatcher.Contracts;
using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Evaluating;

/// <summary>Labels that are derived from the end or from a part of a text. A malformed text gives no value, not even the default.</summary>
public sealed class DerivedPartTests
{
    private const string Absent = "(absent)";
    private const string Default = "other";

    [Theory]
    [InlineData("""["git","push","--dry-run"]""", "dry")]
    [InlineData("""["--dry-run"]""", "dry")]
    [InlineData("\"--dry-run\"", "dry")]
    [InlineData("""["--dry-run","git"]""", Default)]
    [InlineData("""["x--dry-run"]""", Default)]
    [InlineData("[]", Default)]
    [InlineData("5", Absent)]
    public void Suffix_compares_the_last_elements(string value, string expected) =>
        Assert.Equal(expected, Derived("table: [{suffix: [--dry-run], value: dry}]", value));

    [Theory]
    [InlineData("\"ghcr.io/acme/web\"", "ours")]
    [InlineData("\"ghcr.io/acme-evil/web\"", Default)]
    [InlineData("\"GHCR.io/acme/web\"", Default)]
    [InlineData("\"x.example.com\"", "inside")]
    [InlineData("\"example.com\"", Default)]
    [InlineData("\"x.example.com.evil\"", Default)]
    [InlineData("\"\"", Default)]
    [InlineData("\"evil.com\\n.example.com\"", Absent)]
    [InlineData("""["ghcr.io/acme/web"]""", Absent)]
    [InlineData("null", Absent)]
    public void Characters_are_compared_at_the_beginning_and_end_of_a_text(string value, string expected) =>
        Assert.Equal(
            expected,
            Derived("table: [{starts_with: ghcr.io/acme/, value: ours}, {ends_with: .example.com, value: inside}]", value)
        );

    [Theory]
    [InlineData("repo/name:1.4@sha256:abc", "pinned")]
    [InlineData("repo/name@sha256:abc", "pinned")]
    [InlineData("repo/name@md5:abc", Default)]
    [InlineData("repo/name:1.4", Absent)]
    [InlineData("repo/name:1.4@", Absent)]
    [InlineData("evil@sha256:abc@sha256:def", Absent)]
    [InlineData("sha256:abc", Absent)]
    [InlineData("@sha256:abc", Absent)]
    [InlineData("repo\\n@sha256:abc", Absent)]
    [InlineData("repo\\u2028@sha256:abc", Absent)]
    [InlineData("", Absent)]
    public void After_takes_the_text_after_the_only_separator(string image, string expected) =>
        Assert.Equal(expected, Derived("""after: "@", table: [{starts_with: "sha256:", value: pinned}]""", $"\"{image}\""));

    [Theory]
    [InlineData("ana@example.com", "inside")]
    [InlineData("\\\"x@evil\\\"@example.com", "inside")]
    [InlineData("ana@example.com@evil.org", Default)]
    [InlineData("ana@evil.org", Default)]
    [InlineData("example.com", Absent)]
    [InlineData("ana@", Absent)]
    public void After_last_takes_the_text_after_the_last_separator(string address, string expected) =>
        Assert.Equal(expected, Derived("""after_last: "@", table: [{exact: [example.com], value: inside}]""", $"\"{address}\""));

    [Theory]
    [InlineData("host/team/app", "team")]
    [InlineData("/team/app", "team")]
    [InlineData("host/other/team/app", Default)]
    [InlineData("host", Absent)]
    public void After_first_takes_the_text_after_the_first_separator(string path, string expected) =>
        Assert.Equal(expected, Derived("after_first: /, table: [{starts_with: team/, value: team}]", $"\"{path}\""));

    [Theory]
    [InlineData("""["a@b"]""")]
    [InlineData("""{"a":"a@b"}""")]
    public void Part_of_a_list_has_no_value(string value) =>
        Assert.Equal(Absent, Derived("""after: "@", table: [{exact: [b], value: b}]""", value));

    /// <summary>Malformed input must not get the grant of the default either.</summary>
    [Fact]
    public void Malformed_text_does_not_get_the_grant_of_the_default()
    {
        var bundle = ABundle
            .WithRules("id: allow, match: {labels: {kind: other}}, decision: ALLOW")
            .AndTopic(
                """labels: {kind: {source: payload, derive: {path: /image, after: "@", table: [{starts_with: "md5:", value: weak}], """
                    + """default: other}}}"""
            );

        Assert.Equal(Verdict.Allow, bundle.Decide(AJob.ToTest().WithPayload("""{"image":"web@sha256:abc"}""")).Verdict);
        Assert.Equal(Verdict.Deny, bundle.Decide(AJob.ToTest().WithPayload("""{"image":"web@sha256:abc@md5:abc"}""")).Verdict);
        Assert.Equal(Verdict.Deny, bundle.Decide(AJob.ToTest().WithPayload("""{"image":"web"}""")).Verdict);
    }

    [Theory]
    [InlineData("after: \"@\", table: [{starts_with: \"sha256:\", value: pinned}], default: odd", "[pinned, odd, none]", "none")]
    [InlineData("after_last: /, table: [{exact: [web], value: web}, {ends_with: \"-job\", value: job}]", "[web, job, none]", "none")]
    [InlineData("table: [{starts_with: o, value: begins}, {ends_with: r, value: ends}], default: odd", "[begins, ends, odd, none]", "none")]
    [InlineData("table: [{suffix: [a, b], value: ends}, {prefix: [a], value: begins}], default: odd", "[begins, ends, odd, none]", "none")]
    public void Lint_knows_the_values_that_the_table_gives(string derive, string tested, string never)
    {
        var bundle = ABundle
            .WithRules($"id: rule, match: {{topic: test.run, labels: {{kind: {tested}}}}}, decision: DENY, reason: r")
            .AndTopic($"labels: {{kind: {{source: payload, derive: {{path: /image, {derive}}}}}}}");

        LintFinding finding = Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.ValueNeverDerived);

        Assert.Contains($"'{never}'", finding.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("digest", "image", "ghcr.io/acme/web:1.4@sha256:abc", "pinned")]
    [InlineData("digest", "image", "ghcr.io/acme/web:1.4", Absent)]
    [InlineData("registry", "image", "ghcr.io/acme/web:1.4", "ours")]
    [InlineData("recipient", "to", "ana@example.com", "inside")]
    [InlineData("recipient", "to", "ana@evil.org", "outside")]
    public void Examples_of_the_guide_give_the_stated_values(string label, string field, string text, string expected)
    {
        string line = File.ReadLines(Path.Combine(Repository.Root, "policies", "README.md"))
            .Single(line => line.StartsWith(label + ": {", StringComparison.Ordinal));
        var bundle = ABundle
            .WithRules("id: all, match: {topic: test.run}, decision: ALLOW")
            .AndTopic($"labels: {{{line.Split("  #")[0]}}}")
            .Build();

        var job = AJob.ToTest().WithPayload($"{{\"{field}\":\"{text}\"}}").Facts;

        Assert.Equal(expected, bundle.Explain(job, ABundle.Now).Labels.GetValueOrDefault(label, Absent));
    }

    [Theory]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{suffix: [], value: x}]}}}", "empty")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{prefix: a, value: x}]}}}", "wrong_kind")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{starts_with: [a], value: x}]}}}", "wrong_kind")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{ends_with: '', value: x}]}}}", "empty")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, table: [{suffix: [a], ends_with: a, value: x}]}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, after: '.', table: []}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, after: '', table: []}}}", "bad_value")]
    [InlineData("labels: {env: {source: payload, derive: {path: /a, after: '@', after_last: '@', table: []}}}", "bad_value")]
    public void Bad_row_or_part_does_not_load(string entry, string code) =>
        Assert.Equal(code, Assert.Single(ABundle.WithRules().AndTopic(entry).Load().Errors).Code);

    private static string Derived(string derive, string value)
    {
        var bundle = ABundle
            .WithRules("id: all, match: {topic: test.run}, decision: ALLOW")
            .AndTopic($"labels: {{kind: {{source: payload, derive: {{path: /x, {derive}, default: {Default}}}}}}}")
            .Build();

        return bundle.Explain(AJob.ToTest().WithPayload($"{{\"x\":{value}}}").Facts, ABundle.Now).Labels.GetValueOrDefault("kind", Absent);
    }
}
