using System.Collections.Frozen;
using System.Runtime.InteropServices;
using Dispatcher.Contracts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// The rules of one topic pattern, indexed by the values that they require: a rule with <c>env: prod</c> is not tested for a job with
/// another env. The cost of a decision depends on the rules that may match, not on all rules. A skipped rule cannot count: its test of the
/// value is false, or the value is absent and the rule is an ALLOW.
/// </summary>
internal sealed class RuleSet
{
    private readonly Rule[] _always;
    private readonly AttributeIndex[] _indexes;

    public RuleSet(IReadOnlyList<Rule> rules)
    {
        Dictionary<(int Attribute, string Value), int> sharing = [];
        foreach (var test in rules.SelectMany(Wants).SelectMany(test => test.Values.Select(value => (test.Attribute, value))))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(sharing, test, out _)++;
        }

        // The test that the fewest rules share separates a rule best from the others.
        ILookup<int?, (Rule Rule, IsAnyOf? By)> indexes = rules
            .Select(rule => (rule, Wants(rule).MinBy(test => test.Values.Max(value => sharing[(test.Attribute, value)]))))
            .ToLookup(pair => pair.Item2?.Attribute);
        _always = [.. indexes[null].Select(pair => pair.Rule)];
        _indexes =
        [
            .. indexes
                .Where(index => index.Key is not null)
                .Select(index => new AttributeIndex(index.Key!.Value, [.. index.Select(pair => (pair.Rule, pair.By!.Values))])),
        ];
    }

    /// <summary>Adds the rules that may match.</summary>
    public void AddCandidates(Facts facts, List<Rule> candidates)
    {
        candidates.AddRange(_always);
        foreach (var index in _indexes)
        {
            candidates.AddRange(index.For(facts));
        }
    }

    private static IEnumerable<IsAnyOf> Wants(Rule rule) => rule.Match.Parts.OfType<IsAnyOf>().Where(test => !test.Negated);

    /// <summary>Rules by the values that they require of one attribute.</summary>
    private sealed class AttributeIndex(int attribute, IReadOnlyList<(Rule Rule, IReadOnlyList<string> Values)> rules)
    {
        private readonly FrozenDictionary<string, Rule[]> _byValue = rules
            .SelectMany(indexed => indexed.Values, (indexed, value) => (indexed.Rule, Value: value))
            .GroupBy(pair => pair.Value, pair => pair.Rule, StringComparer.Ordinal)
            .ToFrozenDictionary(same => same.Key, same => same.Distinct().ToArray(), StringComparer.Ordinal);

        private readonly Rule[] _restricting = [.. rules.Select(indexed => indexed.Rule).Where(rule => rule.Decision != Verdict.Allow)];

        public Rule[] For(Facts facts)
        {
            if (facts.Value(attribute) is { } value)
            {
                return _byValue.GetValueOrDefault(value, []);
            }

            return facts.Absent(attribute) == Truth.Unknown ? _restricting : [];
        }
    }
}
