using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Policies;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Core;

namespace Dispatcher.UnitTests.Policies;

/// <summary>What must hold for any rules and any job. The seed is fixed; a failure prints it with the rules and the job.</summary>
public class PropertyTests
{
    private static readonly string[] Hosts = ["a.org", "b.org", "c.org"];

    [Fact]
    public void The_order_of_rules_and_files_does_not_matter() => Check(
        from scenario in Scenarios()
        from shuffled in Gen.Shuffle(scenario.Rules)
        from split in Gen.Choose(0, shuffled.Length)
        select scenario with { Other = ABundle.WithRules([.. shuffled.Skip(split)]).AndRules("rules/first.yaml", [.. shuffled.Take(split)]) },
        scenario => Text(scenario.Decide()) == Text(scenario.Other!.Decide(scenario.Job)));

    [Fact]
    public void Adding_a_denial_never_widens() => Check(
        from scenario in Scenarios()
        from match in Matches()
        select scenario with { Other = ABundle.WithRules([.. scenario.Rules, $"id: added, match: {{{match}}}, decision: DENY"]) },
        scenario => IsNoWider(scenario.Other!.Decide(scenario.Job), scenario.Decide()));

    [Fact]
    public void Removing_a_label_a_tag_or_the_workflow_never_widens() => Check(
        Scenarios(),
        scenario => Silenced(scenario.Job).All(silent => IsNoWider(scenario.Bundle.Decide(silent), scenario.Decide())));

    [Fact]
    public void Merged_constraints_satisfy_each_contributor() => Check(
        Scenarios(),
        scenario =>
        {
            Decision decision = scenario.Decide();
            return decision.Verdict == Verdict.Deny
                || scenario.Rules.Where(rule => decision.MatchedRules.Contains(Id(rule))).All(rule => IsNoWider(decision.Constraints, Alone(rule)));
        });

    [Fact]
    public void The_scenarios_reach_every_verdict()
    {
        IEnumerable<Scenario> samples = Scenarios().Sample(300, new Rnd(20261123, 1), 300);

        Assert.Equal(4, samples.Select(scenario => scenario.Decide().Verdict).Distinct().Count());
    }

    private static void Check(Gen<Scenario> scenarios, Func<Scenario, bool> holds)
    {
        Replay seed = new(new Rnd(20261123, 1), FSharpOption<int>.None);
        Config config = Config.QuickThrowOnFailure.WithMaxTest(300).WithQuietOnSuccess(true).WithReplay(FSharpOption<Replay>.Some(seed));
        Prop.ForAll(scenarios.ToArbitrary(), holds).Check(config);
    }

    private static Gen<Scenario> Scenarios() =>
        from count in Gen.Choose(1, 5)
        from rules in Gen.ArrayOf(Rules(), count)
        from env in Gen.Elements(null, "dev", "prod")
        from size in Gen.Elements(null, "big", "small")
        from tags in Gen.SubListOf("pii", "egress")
        from workflow in Gen.Elements(null, "nightly", "weekly")
        select new Scenario([.. rules.Select((rule, i) => $"id: r{i}, {rule}")], Job(env, size, [.. tags], workflow));

    private static Gen<string> Rules() =>
        from match in Matches()
        from constraints in ConstraintTexts()
        from decision in Gen.Frequency(
            (3, Gen.Constant("ALLOW")),
            (4, Gen.Constant($"ALLOW_WITH_CONSTRAINTS, constraints: {{{constraints}}}")),
            (1, Gen.Constant("REQUIRE_APPROVAL")),
            (1, Gen.Constant($"REQUIRE_APPROVAL, constraints: {{{constraints}}}")),
            (1, Gen.Constant("DENY")))
        select $"match: {{{match}}}, decision: {decision}";

    /// <summary>Without <c>exists</c>: it asks for silence, so silence may help there.</summary>
    private static Gen<string> Matches() =>
        from topic in Gen.Elements("topic: test.run", "topic: 'test.*'", "topic: '**'", "topic: test.other")
        from facts in Conditions()
        from exception in Conditions()
        select topic + facts + (exception.Length > 0 ? $", unless: {{{exception[2..]}}}" : "");

    private static Gen<string> Conditions() =>
        from label in Gen.Elements("", "", ", labels: {env: prod}", ", labels: {env: {not: prod}, size: big}", ", labels: {size: [big, small]}")
        from tag in Gen.Elements("", "", ", risk_tags: [pii]", ", risk_tags: {any: [pii, egress]}", ", risk_tags: {none: [egress]}")
        from workflow in Gen.Elements("", "", "", ", workflow_id: nightly")
        select label + tag + workflow;

    private static Gen<string> ConstraintTexts() =>
        from timeout in Gen.Choose(1, 9)
        from hosts in Gen.SubListOf(Hosts)
        select hosts.Count == 0 ? $"timeout_ms: {timeout}" : $"timeout_ms: {timeout}, allowed_hosts: [{string.Join(", ", hosts)}]";

    private static AJob Job(string? env, string? size, string[] tags, string? workflow)
    {
        AJob job = AJob.ToTest().WithTags(tags);
        job = env is null ? job : job.WithLabel("env", env);
        job = size is null ? job : job.WithLabel("size", size);
        return workflow is null ? job : job.InWorkflow(workflow);
    }

    private static IEnumerable<AJob> Silenced(AJob job)
    {
        IReadOnlyDictionary<string, string> labels = job.Facts.Labels;
        return labels.Keys.Select(name => job.WithLabels(labels.Where(label => label.Key != name).ToDictionary()))
            .Concat(job.Facts.RiskTags.Select(tag => job.WithTags([.. job.Facts.RiskTags.Where(other => other != tag)])))
            .Append(new AJob(job.Facts with { WorkflowId = null }));
    }

    private static bool IsNoWider(Decision narrow, Decision wide) => narrow.Verdict == Verdict.Deny
        || (narrow.Verdict >= wide.Verdict && IsNoWider(narrow.Constraints, wide.Constraints));

    private static bool IsNoWider(Constraints? narrow, Constraints? wide) =>
        (wide?.TimeoutMs is null || narrow?.TimeoutMs <= wide.TimeoutMs)
        && (wide?.AllowedHosts is null || narrow?.AllowedHosts?.Except(wide.AllowedHosts).Any() == false);

    private static Constraints? Alone(string rule)
    {
        int start = rule.IndexOf("constraints:", StringComparison.Ordinal);
        return start < 0 ? null : ABundle.WithRules("id: alone, match: {topic: test.run}, decision: ALLOW_WITH_CONSTRAINTS, " + rule[start..]).Decide(AJob.ToTest()).Constraints;
    }

    private static string Id(string rule) => rule["id: ".Length..rule.IndexOf(',', StringComparison.Ordinal)];

    private static string Text(Decision decision) => JsonSerializer.Serialize(decision with { PolicyHash = "" });

    private sealed record Scenario(string[] Rules, AJob Job)
    {
        public ABundle? Other { get; init; }

        public ABundle Bundle => ABundle.WithRules(Rules);

        public Decision Decide() => Bundle.Decide(Job);

        public override string ToString() => string.Join('\n', Rules) + "\n" + JsonSerializer.Serialize(Job.Facts with { Payload = default });
    }
}
