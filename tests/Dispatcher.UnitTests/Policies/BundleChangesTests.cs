using System.Text;
using Dispatcher.Contracts;
using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies;

public sealed class BundleChangesTests
{
    private const string Envs =
        "labels: {env: {values: [dev, prod]}, kind: {source: payload, derive: {path: /image, after: \"@\", table: [{starts_with: "
        + "\"sha256:\", value: pinned}]}}}";
    private const string DenyProd = "id: deny-prod, match: {labels: {env: prod}}, decision: DENY, reason: r";
    private const string AllowPinned = "id: pinned, match: {topic: test.run, labels: {kind: pinned}}, decision: ALLOW";

    [Fact]
    public void Names_added_removed_and_changed_rules()
    {
        var changes = Between(
            [DenyProd, "id: same, match: {topic: test.run}, decision: ALLOW", "id: old, match: {principal: a}, decision: DENY, reason: r"],
            [
                DenyProd.Replace("prod}", "dev}", StringComparison.Ordinal),
                "id: same, match: {topic: test.run}, decision: ALLOW",
                "id: new, match: {principal: b}, decision: DENY, reason: r",
            ]
        );

        Assert.Equal(
            ["deny-prod changed rules/test.yaml:3", "new added rules/test.yaml:5", "old removed rules/test.yaml:5"],
            changes.Rules.Select(rule => $"{rule.Id} {rule.Kind} {rule.Where}")
        );
    }

    /// <summary>
    /// Without a value for env the other rule denies, because the fact is unknown. The job must state an env that it does not deny.
    /// </summary>
    [Fact]
    public void Finds_a_sample_job_that_a_new_grant_widens()
    {
        var made = SampleFor([DenyProd], [DenyProd, AllowPinned], "pinned")!;

        Assert.Equal((Verdict.Deny, Verdict.Allow), (made.Before.Verdict, made.After.Verdict));
        Assert.Equal(["DENY to ALLOW"], made.Change.Widened);
        Assert.Equal("dev", made.Job.Labels["env"]);
    }

    [Fact]
    public void Finds_a_sample_job_that_the_removal_of_a_denial_widens()
    {
        var made = SampleFor(
            [DenyProd, "id: all, match: {topic: test.run}, decision: ALLOW"],
            ["id: all, match: {topic: test.run}, decision: ALLOW"],
            "deny-prod"
        )!;

        Assert.Equal(["DENY to ALLOW"], made.Change.Widened);
        Assert.Equal(["deny-prod"], made.Before.Rules);
    }

    [Fact]
    public void Finds_a_sample_job_that_a_new_denial_narrows()
    {
        var made = SampleFor(
            ["id: all, match: {topic: test.run}, decision: ALLOW"],
            ["id: all, match: {topic: test.run}, decision: ALLOW", DenyProd],
            "deny-prod"
        )!;

        Assert.Equal((0, 1), (made.Change.Widened.Count, made.Change.Narrowed.Count));
    }

    [Fact]
    public void Finds_a_sample_job_for_a_rule_without_effect()
    {
        var made = SampleFor(
            ["id: none, match: {topic: test.run}, decision: DENY, reason: r"],
            ["id: none, match: {topic: test.run}, decision: DENY, reason: r", DenyProd],
            "deny-prod"
        )!;

        Assert.True(made.Change.IsNone);
        Assert.Contains("deny-prod", made.After.MatchedRules);
    }

    /// <summary>A value that no row names gives the default too, but the schema refuses it.</summary>
    [Fact]
    public void Finds_a_sample_job_whose_schema_lists_the_value_of_a_default()
    {
        const string Topic =
            "schema: report.json, labels: {audience: {required: true, source: payload, derive: {path: /audience, "
            + "table: [{exact: [internal], value: internal}], default: public}}}";
        const string Schema = """
            {"type": "object", "required": ["audience"], "properties": {"audience": {"enum": ["internal", "public"]}}}
            """;
        var bundle = ABundle.WithRules().AndTopic(Topic).AndFile("schemas/report.json", Schema);
        var candidate = bundle.AndRules(
            "rules/test.yaml",
            "id: open, match: {topic: test.run, labels: {audience: public}}, decision: ALLOW"
        );
        BundleChanges changes = new(bundle.Build(), candidate.Build(), ABundle.Now);

        var made = changes.FindSample(Assert.Single(changes.Rules))!;

        Assert.Equal(["DENY to ALLOW"], made.Change.Widened);
        Assert.Equal("""{"audience":"public"}""", Encoding.UTF8.GetString(made.Job.Payload.Span));
    }

    [Theory]
    [InlineData("id: gone, match: {topic: test.run}, decision: ALLOW, effective: {until: 2020-01-01T00:00:00Z}")]
    [InlineData("id: gone, match: {topic: job.nobody.has}, decision: ALLOW")]
    public void Finds_no_sample_job_for_a_rule_that_matches_no_job(string rule) =>
        Assert.Null(SampleFor([DenyProd], [DenyProd, rule], "gone"));

    private static SampleJob? SampleFor(string[] old, string[] candidate, string rule)
    {
        var changes = Between(old, candidate);
        return changes.FindSample(changes.Rules.Single(change => change.Id == rule));
    }

    private static BundleChanges Between(string[] old, string[] candidate) =>
        new(ABundle.WithRules(old).AndTopic(Envs).Build(), ABundle.WithRules(candidate).AndTopic(Envs).Build(), ABundle.Now);
}
