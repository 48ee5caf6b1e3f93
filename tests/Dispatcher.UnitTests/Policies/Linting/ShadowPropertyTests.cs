using System.Text.Json;
using Dispatcher.Policies;
using Dispatcher.Policies.Linting;
using FsCheck;
using FsCheck.Fluent;

namespace Dispatcher.UnitTests.Policies.Linting;

/// <summary>Removes each rule that lint reports as shadowed, and decides every job of a small world with and without it.</summary>
public class ShadowPropertyTests
{
    private const string Registry = "labels: {env: {values: [dev, prod]}, size: {absent: no_match}}, tags: {optional: [pii]}";
    private const int Bundles = 400;

    private static readonly string[] Superfluous =
    [
        LintCodes.Shadowed,
        LintCodes.SameRule,
        LintCodes.NeverMatches,
        LintCodes.UnregisteredTopic,
    ];

    private static readonly IReadOnlyList<AJob> World =
    [
        .. from env in new[] { null, "dev", "prod" }
        from size in new[] { null, "big", "other" }
        from tags in new string[][] { [], ["pii"], ["egress"], ["pii", "egress"] }
        from principal in new[] { "ci", "other" }
        from attempt in new[] { 1, 2 }
        select Job(env, size).WithTags(tags).By(principal).OnAttempt(attempt),
    ];

    [Fact]
    public void Removing_a_shadowed_rule_changes_no_decision()
    {
        var seen = 0;
        foreach (var rules in Samples())
        {
            foreach (var index in Reported(rules))
            {
                seen++;
                Assert.True(IsSame(rules, Without(rules, index)), $"rule {index} of\n{string.Join('\n', rules)}");
            }
        }

        Assert.True(seen > 100, $"only {seen} rules were called superfluous");
    }

    /// <summary>
    /// Excluded: rules that only several others cover together, rules without effect because others deny, and rules with an unregistered
    /// tag.
    /// </summary>
    [Fact]
    public void Rule_that_another_rule_covers_is_reported_as_shadowed()
    {
        const string anything = "id: anything, match: {topic: '**'}, decision: ALLOW";
        var seen = 0;
        foreach (var rules in Samples())
        {
            var reported = Reported(rules);
            for (var i = 0; i < rules.Length; i++)
            {
                for (var j = 0; j < rules.Length; j++)
                {
                    var isCovered =
                        i != j
                        && !IsDoubtful(rules[i])
                        && !IsDoubtful(rules[j])
                        && IsSame([rules[i], rules[j]], [rules[j]])
                        && IsSame([rules[i], rules[j], anything], [rules[j], anything]);
                    seen += isCovered ? 1 : 0;
                    Assert.True(
                        !isCovered || reported.Contains(i) || reported.Contains(j),
                        $"rules {i} and {j} of\n{string.Join('\n', rules)}"
                    );
                }
            }
        }

        Assert.True(seen > 100, $"only {seen} rules were covered");
    }

    private static bool IsDoubtful(string rule) => rule.Contains("egress", StringComparison.Ordinal);

    private static IEnumerable<string[]> Samples() =>
        Rules()
            .ArrayOf(4)
            .Sample(Bundles, new Rnd(20261123, 1), 50)
            .Select(rules => rules.Select((rule, i) => $"id: r{i}, {rule}").ToArray());

    private static Gen<string> Rules() =>
        from topic in Gen.Elements("topic: test.run", "topic: 'test.*'", "topic: '**'", "topic: test.other")
        from conditions in Conditions()
        from exception in Gen.Frequency((3, Gen.Constant("")), (1, Conditions()))
        from decision in Gen.Elements(
            "ALLOW",
            "ALLOW",
            "DENY",
            "REQUIRE_APPROVAL",
            "REQUIRE_APPROVAL, approval: {groups: {sre: 1}}",
            "REQUIRE_APPROVAL, approval: {covers: retries}",
            "REQUIRE_APPROVAL, approval: {on_policy_change: invalidate}",
            "REQUIRE_APPROVAL, constraints: {timeout_ms: 5}",
            "ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 5}",
            "ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 9}",
            "ALLOW_WITH_CONSTRAINTS, constraints: {timeout_ms: 9, allowed_hosts: [a]}"
        )
        select $"match: {{{topic}{conditions}{(exception.Length > 0 ? $", unless: {{{exception[2..]}}}" : "")}}}, decision: {decision}";

    private static Gen<string> Conditions() =>
        from label in Gen.Elements(
            "",
            "",
            ", labels: {env: prod}",
            ", labels: {env: {not: prod}}",
            ", labels: {env: [dev, prod]}",
            ", labels: {env: {exists: true}}",
            ", labels: {env: {exists: false}}",
            ", labels: {size: big}",
            ", labels: {size: {not: big}, env: dev}"
        )
        from tag in Gen.Elements(
            "",
            "",
            "",
            ", risk_tags: [pii]",
            ", risk_tags: {any: [pii, egress]}",
            ", risk_tags: {none: [pii]}",
            ", risk_tags: {none: [egress]}"
        )
        from other in Gen.Elements("", "", "", ", principal: ci", ", attempt_gte: 2")
        select label + tag + other;

    /// <summary>The numbers of the rules that lint reports. Their lines start at 3.</summary>
    private static HashSet<int> Reported(string[] rules) =>
        [
            .. Bundle(rules)
                .Lint()
                .Where(finding => Superfluous.Contains(finding.Code))
                .Select(finding => int.Parse(finding.Where.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture) - 3),
        ];

    private static string[] Without(string[] rules, int index) => [.. rules.Where((_, i) => i != index)];

    private static bool IsSame(string[] a, string[] b)
    {
        var one = Bundle(a).Build();
        var two = Bundle(b).Build();
        return World.All(job => Effect(one, job) == Effect(two, job));
    }

    private static string Effect(Bundle bundle, AJob job)
    {
        var decision = bundle.Decide(job.Facts, ABundle.Now);
        return $"{decision.Verdict} {JsonSerializer.Serialize(decision.Constraints)} {JsonSerializer.Serialize(decision.Approval)}";
    }

    private static ABundle Bundle(string[] rules) => ABundle.WithRules(rules).AndTopic(Registry);

    private static AJob Job(string? env, string? size)
    {
        var job = env is null ? AJob.ToTest() : AJob.ToTest().WithLabel("env", env);
        return size is null ? job : job.WithLabel("size", size);
    }
}
