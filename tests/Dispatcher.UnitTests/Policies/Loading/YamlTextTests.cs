namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>Text that is not YAML, or that YAML reads as another type.</summary>
public class YamlTextTests
{
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
    public void Label_value_that_YAML_reads_as_another_type_must_be_quoted(string value)
    {
        var rules = "version: v1\nrules:\n  - id: a\n    decision: DENY\n    match:\n      labels:\n        env: ";

        var error = Assert.Single(BundleErrors.Of(rules + value));
        Assert.Equal("not_text", error.Code);
        Assert.Equal("rules/a.yaml:7", error.Where);
        Assert.Empty(BundleErrors.Of($"{rules}\"{value}\""));
        Assert.Empty(BundleErrors.Of($"{rules}'{value}'"));
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("1.2.3")]
    [InlineData("2026-11-23")]
    [InlineData("nope")]
    [InlineData("--version")]
    public void Plain_value_that_YAML_reads_as_text_needs_no_quotes(string value) =>
        Assert.Empty(BundleErrors.Of($"version: v1\nrules: [{{id: a, decision: DENY, match: {{labels: {{env: {value}}}}}}}]"));

    [Theory]
    [InlineData("    match: { topic: test.run\n    decision: DENY\n", "rules/a.yaml:4", "a bracket that opens here is not closed")]
    [InlineData("    match: { topic: test.run", "rules/a.yaml:4", "a bracket that opens here is not closed")]
    [InlineData("    decision: DENY\n    match: { labels: { env: dev }\n", "rules/a.yaml:5", "a bracket that opens here is not closed")]
    [InlineData("    match:\n\t  topic: test.run\n", "rules/a.yaml:5", "the indentation contains a tab")]
    [InlineData("    reason: \"never\n    decision: DENY\n", "rules/a.yaml:4", "double-quoted")]
    public void YAML_syntax_error_has_its_line_and_a_reason(string text, string where, string reason)
    {
        var error = Assert.Single(BundleErrors.Of("version: v1\nrules:\n  - id: a\n" + text));

        Assert.Equal(("bad_yaml", where), (error.Code, error.Where));
        Assert.Contains(reason, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void YAML_syntax_error_does_not_hide_mistakes_before_and_after_it()
    {
        const string Broken =
            "version: v1\nrules:\n  - {id: a, match: {topic: test.run}, decison: DENY}\n  - id: b\n    match: { topic: test.run\n "
            + "   decision: DENY\n  - id: c\n   match: x\n  - {id: d, match: {topic: test.run}, decision: DENNY}\n  - { id: e\n";

        Assert.Equal(
            [
                "bad_yaml rules/a.yaml:5",
                "bad_yaml rules/a.yaml:8",
                "bad_yaml rules/a.yaml:10",
                "unknown_key rules/a.yaml:3",
                "unknown_decision rules/a.yaml:9",
            ],
            BundleErrors.Of(Broken).Select(error => $"{error.Code} {error.Where}")
        );
    }
}
