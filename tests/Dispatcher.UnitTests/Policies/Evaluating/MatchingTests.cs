using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

public class MatchingTests
{
    private const string Allow = "id: allow, match: {topic: test.run}, decision: ALLOW";

    private enum Truth
    {
        False,
        Unknown,
        True,
    }

    [Theory]
    [InlineData("test.run", true)]
    [InlineData("test", false)]
    [InlineData("test.run.more", false)]
    [InlineData("test.*", true)]
    [InlineData("*.run", true)]
    [InlineData("*.*", true)]
    [InlineData("*", false)]
    [InlineData("*.*.*", false)]
    [InlineData("**", true)]
    [InlineData("test.**", true)]
    [InlineData("test.run.**", false)]
    [InlineData("other.**", false)]
    public void Topic_pattern_matches_exactly_one_segment_or_the_rest(string pattern, bool fits) =>
        Assert.Equal(fits ? Truth.True : Truth.False, TruthOf($"topic: '{pattern}'", AJob.ToTest()));

    [Theory]
    [InlineData("labels: {env: prod}", "prod", "True")]
    [InlineData("labels: {env: prod}", "dev", "False")]
    [InlineData("labels: {env: prod}", "Prod", "False")]
    [InlineData("labels: {env: prod}", null, "Unknown")]
    [InlineData("labels: {env: [dev, prod]}", "prod", "True")]
    [InlineData("labels: {env: [dev, prod]}", "staging", "False")]
    [InlineData("labels: {env: [dev, prod]}", null, "Unknown")]
    [InlineData("labels: {env: {not: prod}}", "dev", "True")]
    [InlineData("labels: {env: {not: prod}}", "prod", "False")]
    [InlineData("labels: {env: {not: prod}}", null, "Unknown")]
    [InlineData("labels: {env: {not: [prod, staging]}}", "staging", "False")]
    [InlineData("labels: {env: {exists: true}}", "x", "True")]
    [InlineData("labels: {env: {exists: true}}", null, "False")]
    [InlineData("labels: {env: {exists: false}}", "x", "False")]
    [InlineData("labels: {env: {exists: false}}", null, "True")]
    [InlineData("unless: {labels: {env: prod}}", "dev", "True")]
    [InlineData("unless: {labels: {env: prod}}", "prod", "False")]
    [InlineData("unless: {labels: {env: prod}}", null, "Unknown")]
    [InlineData("labels: {env: prod}, principal: someone-else", null, "False")]
    [InlineData("labels: {env: prod}, unless: {topic: test.run}", "prod", "False")]
    [InlineData("labels: {env: prod}, unless: {topic: test.other}", "prod", "True")]
    public void Absent_label_is_unknown(string match, string? env, string expected) =>
        Assert.Equal(Enum.Parse<Truth>(expected), TruthOf(match, env is null ? AJob.ToTest() : AJob.ToTest().WithLabel("env", env)));

    [Theory]
    [InlineData("risk_tags: [a, b]", "a b", "True")]
    [InlineData("risk_tags: [a, b]", "a", "Unknown")]
    [InlineData("risk_tags: [a, b]", "", "Unknown")]
    [InlineData("risk_tags: [a, opt]", "a", "False")]
    [InlineData("risk_tags: [opt]", "opt", "True")]
    [InlineData("risk_tags: [always]", "", "True")]
    [InlineData("risk_tags: [A]", "a", "Unknown")]
    [InlineData("risk_tags: {any: [a, b]}", "b", "True")]
    [InlineData("risk_tags: {any: [a, b]}", "", "Unknown")]
    [InlineData("risk_tags: {any: [opt]}", "", "False")]
    [InlineData("risk_tags: {none: [a, b]}", "a", "False")]
    [InlineData("risk_tags: {none: [a, b]}", "", "Unknown")]
    [InlineData("risk_tags: {none: [opt]}", "", "True")]
    [InlineData("risk_tags: {none: [always]}", "", "False")]
    public void Absent_tag_is_unknown_unless_the_registry_lists_it(string match, string tags, string expected)
    {
        var job = AJob.ToTest().WithTags(tags.Split(' ', StringSplitOptions.RemoveEmptyEntries));

        Assert.Equal(Enum.Parse<Truth>(expected), TruthOf(match, job, "tags: {always: [always], optional: [opt]}"));
    }

    [Theory]
    [InlineData("labels: {env: prod}", "False")]
    [InlineData("labels: {env: {not: prod}}", "False")]
    [InlineData("unless: {labels: {env: prod}}", "True")]
    public void Registry_can_make_an_absent_label_a_definite_mismatch(string match, string expected) =>
        Assert.Equal(Enum.Parse<Truth>(expected), TruthOf(match, AJob.ToTest(), "labels: {env: {absent: no_match}}"));

    [Theory]
    [InlineData("principal: billing", "True")]
    [InlineData("principal: Billing", "False")]
    [InlineData("principal: [ci, billing]", "True")]
    [InlineData("principal: ci", "False")]
    [InlineData("workflow_id: nightly", "True")]
    [InlineData("workflow_id: [weekly, nightly]", "True")]
    [InlineData("workflow_id: weekly", "False")]
    [InlineData("attempt_gte: 2", "True")]
    [InlineData("attempt_gte: 3", "False")]
    public void Principal_workflow_and_attempt_can_be_tested(string match, string expected) =>
        Assert.Equal(Enum.Parse<Truth>(expected), TruthOf(match, AJob.ToTest().InWorkflow("nightly").OnAttempt(2)));

    [Fact]
    public void Absent_workflow_is_unknown() => Assert.Equal(Truth.Unknown, TruthOf("workflow_id: nightly", AJob.ToTest()));

    [Theory]
    [InlineData("DENY", Verdict.Deny)]
    [InlineData("REQUIRE_APPROVAL", Verdict.RequireApproval)]
    [InlineData("ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}", Verdict.AllowWithConstraints)]
    public void Unknown_match_restricts(string decision, Verdict expected)
    {
        var bundle = ABundle.WithRules(Allow, $"id: a, match: {{labels: {{env: prod}}}}, decision: {decision}");

        Assert.Equal(expected, bundle.Decide(AJob.ToTest()).Verdict);
        Assert.Equal(Verdict.Allow, bundle.Decide(AJob.ToTest().WithLabel("env", "dev")).Verdict);
    }

    [Theory]
    [InlineData("ALLOW")]
    [InlineData("REQUIRE_APPROVAL")]
    [InlineData("ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}")]
    public void Unknown_match_never_grants(string decision)
    {
        var bundle = ABundle.WithRules($"id: a, match: {{labels: {{env: prod}}}}, decision: {decision}");

        Assert.Equal(ReasonCodes.NoMatch, bundle.Decide(AJob.ToTest()).Reason);
        Assert.NotEqual(Verdict.Deny, bundle.Decide(AJob.ToTest().WithLabel("env", "prod")).Verdict);
    }

    [Fact]
    public void Labels_are_case_sensitive_regardless_of_the_dictionary()
    {
        Dictionary<string, string> labels = new(StringComparer.OrdinalIgnoreCase) { ["ENV"] = "prod" };

        Assert.Equal(Truth.Unknown, TruthOf("labels: {env: prod}", AJob.ToTest().WithLabels(labels)));
    }

    [Fact]
    public void Null_label_is_absent() =>
        Assert.Equal(Truth.Unknown, TruthOf("labels: {env: {not: prod}}", AJob.ToTest().WithLabel("env", null!)));

    /// <summary>True grants and restricts, unknown only restricts, false does neither.</summary>
    private static Truth TruthOf(string match, AJob job, string topic = "idempotent: false")
    {
        var granting = ABundle.WithRules($"id: a, match: {{{match}}}, decision: ALLOW").AndTopic(topic).Decide(job).Verdict;
        var denying = ABundle.WithRules(Allow, $"id: a, match: {{{match}}}, decision: DENY").AndTopic(topic).Decide(job).Verdict;

        return granting == Verdict.Allow ? Truth.True
            : denying == Verdict.Deny ? Truth.Unknown
            : Truth.False;
    }
}
