using System.Collections;
using System.Diagnostics.CodeAnalysis;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Evaluating;

public class CombiningTests
{
    private const string Allow = "id: allow, match: {topic: test.run}, decision: ALLOW";
    private const string Constrain =
        "id: constrain, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 10}";
    private const string Approve = "id: approve, match: {topic: test.run}, decision: REQUIRE_APPROVAL";
    private const string Deny = "id: deny, match: {topic: test.run}, decision: DENY";

    [Theory]
    [InlineData(Verdict.Allow, "allow", Allow)]
    [InlineData(Verdict.AllowWithConstraints, "constrain", Allow, Constrain)]
    [InlineData(Verdict.RequireApproval, "approve", Allow, Constrain, Approve)]
    [InlineData(Verdict.Deny, "deny", Allow, Constrain, Approve, Deny)]
    [InlineData(Verdict.Deny, "deny", Deny, Allow)]
    public void The_most_restrictive_matching_rule_wins(Verdict expected, string deciding, params string[] rules)
    {
        var decision = ABundle.WithRules(rules).Decide(AJob.ToTest());

        Assert.Equal(expected, decision.Verdict);
        Assert.Equal([deciding], decision.Rules);
        Assert.Equal(rules.Length, decision.MatchedRules.Count);
    }

    [Fact]
    public void Denies_a_job_when_no_rule_matches()
    {
        var decision = ABundle.WithRules("id: other, match: {topic: test.other}, decision: ALLOW").Decide(AJob.ToTest());

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.NoMatch, decision.Reason);
        Assert.Empty(decision.Rules);
        Assert.Empty(decision.MatchedRules);
    }

    [Fact]
    public void Denies_a_job_on_an_unregistered_topic_regardless_of_the_rules()
    {
        var decision = ABundle.WithRules("id: all, match: {topic: \"**\"}, decision: ALLOW").Decide(AJob.OnTopic("test.unheard"));

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.UnknownTopic, decision.Reason);
        Assert.Null(decision.JobClass);
    }

    [Fact]
    public void Approval_rule_grants_and_its_constraints_apply()
    {
        var decision = ABundle
            .WithRules("id: a, match: {topic: test.run}, decision: REQUIRE_APPROVAL, constraints: {timeout_ms: 20}", Constrain)
            .Decide(AJob.ToTest());

        Assert.Equal(Verdict.RequireApproval, decision.Verdict);
        Assert.Equal(10, decision.Constraints!.TimeoutMs);
    }

    [Fact]
    public void Denial_has_neither_constraints_nor_an_approval()
    {
        var decision = ABundle.WithRules(Constrain, Approve, Deny).Decide(AJob.ToTest());

        Assert.Null(decision.Constraints);
        Assert.Null(decision.Approval);
    }

    [Fact]
    public void Reason_joins_the_reasons_of_the_deciding_rules_by_id()
    {
        var decision = ABundle
            .WithRules(
                "id: b, match: {topic: test.run}, decision: DENY, reason: second",
                "id: a, match: {topic: test.run}, decision: DENY, reason: first",
                "id: c, match: {topic: test.run}, decision: ALLOW, reason: not deciding"
            )
            .Decide(AJob.ToTest());

        Assert.Equal("first; second", decision.Reason);
        Assert.Equal(["a", "b"], decision.Rules);
        Assert.Equal(["a", "b", "c"], decision.MatchedRules);
    }

    [Theory]
    [InlineData("allowed by allow", Allow)]
    [InlineData("allowed by constrain", Constrain)]
    [InlineData("approval required by approve", Approve)]
    [InlineData("denied by deny", Deny)]
    public void Reason_names_the_rules_that_have_no_reason(string expected, string rule) =>
        Assert.Equal(expected, ABundle.WithRules(rule).Decide(AJob.ToTest()).Reason);

    [Theory]
    [InlineData("2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z", Verdict.Allow)]
    [InlineData("2026-11-23T12:00:01Z", "2026-12-01T00:00:00Z", Verdict.Deny)]
    [InlineData("2026-11-01T00:00:00Z", "2026-11-23T12:00:00Z", Verdict.Deny)]
    [InlineData("2026-11-23T14:00:00+02:00", "2026-11-23T15:00:00+02:00", Verdict.Allow)]
    public void Rule_is_in_effect_from_its_start_until_before_its_end(string from, string until, Verdict expected)
    {
        var rule = $"id: a, match: {{topic: test.run}}, decision: ALLOW, effective: {{from: '{from}', until: '{until}'}}";

        Assert.Equal(expected, ABundle.WithRules(rule).Decide(AJob.ToTest()).Verdict);
    }

    [Fact]
    public void Denies_a_job_when_evaluation_throws()
    {
        var bundle = ABundle.WithRules(Allow).Build();

        var decision = bundle.Decide(AJob.ToTest().WithLabels(new BrokenLabels()).Facts, ABundle.Now);

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal(ReasonCodes.EngineError, decision.Reason);
        Assert.Equal(bundle.Hash, decision.PolicyHash);
    }

    [Fact]
    public void Explains_an_evaluation_error_as_a_denial()
    {
        var bundle = ABundle.WithRules(Allow).Build();

        var explanation = bundle.Explain(AJob.ToTest().WithLabels(new BrokenLabels()).Facts, ABundle.Now);

        Assert.Equal(ReasonCodes.EngineError, explanation.Decision.Reason);
        Assert.Equal(["DENY: engine_error (InvalidOperationException)"], explanation.Merge);
        Assert.Empty(explanation.Rules);
    }

    [Fact]
    public void Denies_a_null_job()
    {
        Assert.Equal(ReasonCodes.EngineError, ABundle.WithRules(Allow).Build().Decide(null!, ABundle.Now).Reason);
        Assert.Equal(ReasonCodes.EngineError, ABundle.WithRules(Allow).Build().Explain(null!, ABundle.Now).Decision.Reason);
    }

    [Fact]
    public void Denial_without_a_bundle_has_empty_hashes()
    {
        var decision = Decision.Denied(ReasonCodes.NoBundle);

        Assert.Equal(Verdict.Deny, decision.Verdict);
        Assert.Equal("", decision.PolicyHash);
    }

    private sealed class BrokenLabels : IReadOnlyDictionary<string, string>
    {
        public IEnumerable<string> Keys => throw new InvalidOperationException();

        public IEnumerable<string> Values => throw new InvalidOperationException();

        public int Count => throw new InvalidOperationException();

        public string this[string key] => throw new InvalidOperationException();

        public bool ContainsKey(string key) => throw new InvalidOperationException();

        public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value) => throw new InvalidOperationException();

        public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => throw new InvalidOperationException();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
