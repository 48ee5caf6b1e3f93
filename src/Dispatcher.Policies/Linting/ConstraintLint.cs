using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>
/// Finds constraints that turn a grant into a denial: the pool does not enforce them, or the constraints of two rules have nothing in
/// common.
/// </summary>
internal sealed class ConstraintLint(LintedBundle bundle, FindingList findings)
{
    // The maximum number of compared pairs. A larger bundle gets only its first conflicts.
    private const int MaxPairs = 200_000;

    private readonly HashSet<int> _conflicting = [];
    private int _pairsLeft = MaxPairs;

    public void Run()
    {
        foreach (
            var rule in bundle.Rules.Where(rule =>
                rule is { Constraints: not null, Decision: Verdict.AllowWithConstraints or Verdict.RequireApproval }
                && !bundle.IsExpired(rule)
            )
        )
        {
            CheckEnforced(rule, rule.Constraints!);
        }

        foreach (var topic in bundle.Topics)
        {
            CheckConflicts(topic);
        }
    }

    private void CheckEnforced(Rule rule, Constraints constraints)
    {
        HashSet<string> pools = [];
        foreach (var topic in bundle.TopicsOf(rule))
        {
            var pool = topic.Compiled.Pool;
            List<string> missing = [.. ConstraintNames.In(constraints).Except(pool.Enforcers, StringComparer.Ordinal)];
            if (missing.Count > 0 && !pool.IsBroken && !pools.Contains(pool.Name) && bundle.FindCounting(topic, rule).Job is { } witness)
            {
                pools.Add(pool.Name);
                findings.Error(
                    rule.Where,
                    LintCodes.ConstraintNotEnforced,
                    $"pool {pool.Name} of {topic.Name} does not enforce {string.Join(", ", missing)}, so every job that {rule.Id} "
                        + "matches there is denied; the pool enforces "
                        + $"{(pool.Enforcers.Count == 0 ? "nothing" : string.Join(", ", pool.Enforcers))}.",
                    "remove the constraint, or add it to the pool's enforcers if its workers enforce it.",
                    witness
                );
            }
        }
    }

    /// <summary>
    /// Rules that require different values of one attribute do not grant together. Only rules that share a value, or require none, are
    /// compared.
    /// </summary>
    private void CheckConflicts(LintedTopic topic)
    {
        List<Rule> rules =
        [
            .. bundle.Live.Where(rule =>
                rule.Topic.Fits(topic.Name) && rule.Constraints is { } limits && (limits.AllowedHosts ?? limits.AllowedCommands) is not null
            ),
        ];
        var attribute = rules
            .SelectMany(Wants)
            .GroupBy(test => test.Attribute)
            .OrderByDescending(same => same.Count())
            .ThenBy(same => same.Key)
            .FirstOrDefault()
            ?.Key;
        Dictionary<string, List<Rule>> byValue = new(StringComparer.Ordinal);
        List<Rule> without = [];
        List<Rule> before = [];
        foreach (var rule in rules)
        {
            List<string> values = [.. Wants(rule).Where(test => test.Attribute == attribute).SelectMany(test => test.Values)];
            Check(
                topic,
                rule,
                values.Count == 0
                    ? before
                    : without.Concat(values.SelectMany(value => byValue.GetValueOrDefault(value, []))).DistinctBy(other => other.Number)
            );
            before.Add(rule);
            if (values.Count == 0)
            {
                without.Add(rule);
            }

            foreach (var value in values)
            {
                byValue.TryAdd(value, []);
                byValue[value].Add(rule);
            }
        }
    }

    private void Check(LintedTopic topic, Rule rule, IEnumerable<Rule> earlier)
    {
        foreach (var other in earlier)
        {
            if (_conflicting.Contains(rule.Number) || _pairsLeft-- <= 0)
            {
                return;
            }

            if (
                ConstraintMerge.Of([rule, other]) is { } merged
                && ConstraintMerge.Unsatisfiable(merged) is { } empty
                && Overlap(rule, other)
                && Together(topic, rule, other) is { } witness
            )
            {
                _conflicting.Add(rule.Number);
                findings.Warning(
                    rule.Where,
                    LintCodes.ConflictingConstraints,
                    $"{empty} of {rule.Id} and of {other.Id} at {other.Where} have nothing in common, so a job that both rules "
                        + "match is denied; allowed: sets that share an element.",
                    "make the two matches exclude each other, or add a common element to both.",
                    witness
                );
            }
        }
    }

    /// <summary>A job that both rules match, at least possibly, and that at least one of them grants.</summary>
    private JobFacts? Together(LintedTopic topic, Rule rule, Rule other) =>
        bundle
            .Find(
                topic,
                [rule, other],
                facts =>
                {
                    var one = rule.Match.Test(facts);
                    var two = other.Match.Test(facts);
                    return Kleene.And(one, two) != Truth.False && Kleene.Or(one, two) == Truth.True;
                }
            )
            .Job;

    private static bool Overlap(Rule a, Rule b) =>
        (a.Until is null || b.From is null || b.From < a.Until)
        && (b.Until is null || a.From is null || a.From < b.Until)
        && Wants(a)
            .All(test =>
                Wants(b)
                    .Where(other => other.Attribute == test.Attribute)
                    .All(other => other.Values.Any(value => test.Values.Contains(value, StringComparer.Ordinal)))
            );

    private static IEnumerable<IsAnyOf> Wants(Rule rule) => rule.Match.Parts.OfType<IsAnyOf>().Where(test => !test.Negated);
}
