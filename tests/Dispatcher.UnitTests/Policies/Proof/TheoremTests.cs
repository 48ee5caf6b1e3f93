using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Policies;
using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>Properties that hold for every bundle and every job.</summary>
public class TheoremTests
{
    private const int Bundles = 300;
    private const int JobsEach = 20;

    [Fact]
    public void Order_of_rules_files_and_keys_does_not_matter() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);
                var other = LoadShuffled(scenario.Bundle, new Random(scenario.Seed));

                Assert.All(scenario.Jobs, job => Assert.Equal(Text(bundle, job), Text(other, job)));
            }
        );

    [Fact]
    public void Duplicate_rule_counts_once() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);
                var doubled = Scenario.Load(
                    scenario.WithRules([.. scenario.Bundle.Rules.Select(rule => rule with { Id = $"again-{rule.Id}" })])
                );

                Assert.All(
                    scenario.Jobs,
                    job => Assert.Equal(WithoutRules(bundle.Decide(job.Facts, job.At)), WithoutRules(doubled.Decide(job.Facts, job.At)))
                );
            }
        );

    [Fact]
    public void Adding_a_denial_never_widens() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);
                var denying = Scenario.Load(
                    scenario.WithRules(scenario.Extra with { Decision = Verdict.Deny, Constraints = null, Approval = null })
                );

                Assert.All(scenario.Jobs, job => AssertNoWider(denying.Decide(job.Facts, job.At), bundle.Decide(job.Facts, job.At)));
            }
        );

    [Fact]
    public void Adding_any_rule_never_widens_a_granted_job() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);
                var longer = Scenario.Load(scenario.WithRules(scenario.Extra));
                var granted = scenario.Jobs.Where(job => bundle.Decide(job.Facts, job.At).Verdict != Verdict.Deny);

                Assert.All(granted, job => AssertNoWider(longer.Decide(job.Facts, job.At), bundle.Decide(job.Facts, job.At)));
            }
        );

    [Fact]
    public void Job_with_fewer_facts_never_gets_more() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);

                Assert.All(
                    scenario.Jobs,
                    job =>
                        Assert.All(
                            Silence.OfTheJob(scenario.Bundle, job),
                            silent => AssertNoWider(bundle.Decide(silent.Facts, silent.At), bundle.Decide(job.Facts, job.At))
                        )
                );
            }
        );

    [Fact]
    public void Registry_with_fewer_settings_never_gives_more() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);

                Assert.All(
                    Silence.OfTheRegistry(scenario.Bundle).Select(Scenario.Load),
                    silent =>
                        Assert.All(scenario.Jobs, job => AssertNoWider(silent.Decide(job.Facts, job.At), bundle.Decide(job.Facts, job.At)))
                );
            }
        );

    /// <summary>The rules that count in an explanation are those that the decision lists as matched.</summary>
    [Fact]
    public void Explanation_and_full_scan_give_the_same_decision() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);

                Assert.All(
                    scenario.Jobs,
                    job =>
                    {
                        var decided = Text(bundle, job);
                        var explanation = bundle.Explain(job.Facts, job.At);
                        Assert.Equal(decided, Text(explanation.Decision));
                        Assert.Equal(decided, Text(bundle.DecideByScan(job.Facts, job.At)));
                        Assert.Equal(
                            explanation.Decision.MatchedRules,
                            explanation
                                .Rules.Where(rule => rule.Outcome is RuleOutcome.Matched or RuleOutcome.Restricts)
                                .Select(rule => rule.Id)
                        );
                    }
                );
            }
        );

    [Fact]
    public void The_same_input_gives_the_same_bytes_in_any_culture_and_any_order_of_facts() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                IEnumerable<string> expected = [.. scenario.Jobs.Select(job => Text(Scenario.Load(scenario.Bundle), job))];

                Assert.All(
                    ForeignCultures.All,
                    culture =>
                        ForeignCultures.In(
                            culture,
                            () =>
                            {
                                var bundle = Scenario.Load(scenario.Bundle);
                                Assert.Equal(expected, scenario.Jobs.Select(job => Text(bundle, Reversed(job))));
                            }
                        )
                );
            }
        );

    [Fact]
    public void Decision_is_at_most_as_wide_as_each_of_its_rules_alone() =>
        Scenario.ForAll(
            Bundles,
            JobsEach,
            scenario =>
            {
                var bundle = Scenario.Load(scenario.Bundle);
                var alone = scenario.Bundle.Rules.ToDictionary(
                    rule => rule.Id,
                    rule => Scenario.Load(scenario.Bundle with { Rules = [Always(rule)] })
                );

                Assert.All(
                    scenario.Jobs,
                    job =>
                    {
                        var decision = bundle.Decide(job.Facts, job.At);
                        Assert.All(decision.MatchedRules, id => AssertNoWider(decision, alone[id].Decide(job.Facts, job.At)));
                    }
                );
            }
        );

    private static Bundle LoadShuffled(BundleModel bundle, Random order)
    {
        BundleYaml yaml = new(order);
        RuleModel[] rules = [.. bundle.Rules];
        order.Shuffle(rules);
        var split = order.Next(rules.Length + 1);
        BundleFile[] files =
        [
            BundleYaml.File("topics.yaml", yaml.Topics(bundle)),
            BundleYaml.File("rules/one.yaml", yaml.Rules(rules[..split])),
            BundleYaml.File("rules/two.yaml", yaml.Rules(rules[split..])),
        ];
        order.Shuffle(files);
        return Scenario.Load(files);
    }

    private static JobModel Reversed(JobModel job) =>
        job with
        {
            Labels = job.Labels.Reverse().ToDictionary(),
            Tags = [.. job.Tags.Reverse()],
        };

    private static RuleModel Always(RuleModel rule) => rule with { Match = new MatchModel(), From = null, Until = null };

    /// <summary>The whole decision except the hash of its files.</summary>
    private static string Text(Bundle bundle, JobModel job) => Text(bundle.Decide(job.Facts, job.At));

    private static string Text(Decision decision) => JsonSerializer.Serialize(decision with { PolicyHash = "" });

    private static string WithoutRules(Decision decision) =>
        (Answer.Of(decision) with { Rules = [], MatchedRules = [], Reason = "" }).ToString();

    private static void AssertNoWider(Decision narrow, Decision wide) =>
        Assert.True(
            Restriction.Compare(narrow, wide) is Relation.Same or Relation.Narrower,
            $"{Answer.Of(narrow)}\nshould be no wider than\n{Answer.Of(wide)}"
        );
}
