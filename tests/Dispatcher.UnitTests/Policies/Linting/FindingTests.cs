using Dispatcher.Policies.Linting;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>Severity, text and witness of a finding.</summary>
public class FindingTests
{
    private const string Grant = "id: grant, match: {topic: test.run}, decision: ALLOW";

    [Theory]
    [InlineData(", trusts_producer: the worker checks it", LintSeverity.Info)]
    [InlineData(", trusts_producer: ' '", LintSeverity.Warning)]
    [InlineData("", LintSeverity.Warning)]
    public void Rule_can_state_why_it_trusts_the_producer(string why, LintSeverity severity)
    {
        var bundle = ABundle
            .WithRules($"id: a, match: {{topic: test.run, labels: {{env: dev}}}}, decision: ALLOW{why}")
            .AndTopic("risk: high, labels: {env: {}}");

        Assert.Equal(severity, Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.ProducersWord).Severity);
    }

    [Theory]
    [InlineData("{env: prd}", LintSeverity.Error, 1)]
    [InlineData("{env: [dev, prd]}", LintSeverity.Warning, 1)]
    [InlineData("{env: {not: prd}}", LintSeverity.Warning, 1)]
    public void Unknown_value_is_an_error_if_the_rule_then_matches_nothing(string labels, LintSeverity severity, int count)
    {
        List<LintFinding> findings =
        [
            .. ABundle
                .WithTopic(
                    "labels: {env: {values: [dev, prod], required: true}}",
                    $"id: a, match: {{topic: test.run, labels: {labels}}}, decision: DENY, reason: because",
                    Grant
                )
                .Lint()
                .Where(finding => finding.Code is LintCodes.UnknownValue or LintCodes.NeverMatches),
        ];

        Assert.Equal(count, findings.Count);
        Assert.Equal(severity, findings[0].Severity);
    }

    [Fact]
    public void Finding_of_an_underived_value_names_all_derived_values() =>
        Assert.Contains(
            "allowed: look, other.",
            Assert
                .Single(
                    ABundle
                        .WithTopic(
                            "labels: {kind: {source: payload, derive: {path: /run, table: [{exact: [ls], value: look}], default: other}}}",
                            "id: a, match: {topic: test.run, labels: {kind: [look, zed]}}, decision: DENY"
                        )
                        .Lint(),
                    finding => finding.Code == LintCodes.ValueNeverDerived
                )
                .Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Witness_gets_the_decision_that_the_finding_describes()
    {
        var bundle = ABundle
            .WithRules("id: a, match: {topic: test.run, labels: {kind: look}}, decision: DENY", Grant)
            .AndTopic("labels: {kind: {absent: no_match, source: payload, derive: {path: /run/0, table: [{exact: [ls], value: look}]}}}");

        LintFinding finding = Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.AvoidableRestriction);

        Assert.Equal(["grant"], bundle.Decide(new AJob(finding.Witness!)).Rules);
    }

    [Theory]
    [InlineData(
        """{"type": "object", "required": ["run", "user", "count"], "properties": {"run": {"type": "array", "items": {"type":"""
            + """ "string"}}, "user": {"enum": ["ann"]}, "count": {"type": "integer", "minimum": 3}}}""",
        """{"run":["ls"],"user":"ann","count":3}"""
    )]
    [InlineData("""{"type": "object", "properties": {"run": {"enum": ["ls", "rm"]}}, "additionalProperties": false}""", """{"run":"ls"}""")]
    [InlineData(
        """{"type": "object", "required": ["user"], "properties": {"user": {"$ref": "#/$defs/user"}}, "$defs": {"user": {"type":"""
            + """ "object", "required": ["ids"], "properties": {"ids": {"type": "array", "minItems": 1, "items": {"const": 7}}}}}}""",
        """{"run":["ls"],"user":{"ids":[7]}}"""
    )]
    [InlineData("""{"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "pattern": "^[0-9]{4}$"}}}""", null)]
    [InlineData("""{"type": "object", "properties": {"run": {"type": "integer"}}}""", null)]
    public void Witness_has_a_valid_payload_or_is_omitted(string schema, string? payload)
    {
        var bundle = ABundle
            .WithRules("id: a, match: {topic: test.run, labels: {kind: look, env: dev}}, decision: ALLOW")
            .AndTopic("schema: test.json, labels: {kind: {source: payload, derive: {path: /run, table: [{exact: [ls], value: look}]}}}")
            .AndFile("schemas/test.json", schema);

        var witness = Assert.Single(bundle.Lint(), finding => finding.Code == LintCodes.ProducersWord).Witness;

        Assert.Equal(payload, witness is null ? null : System.Text.Encoding.UTF8.GetString(witness.Payload.Span));
        Assert.True(witness is null || bundle.Decide(new AJob(witness)).Verdict == Dispatcher.Contracts.Verdict.Allow);
    }
}
