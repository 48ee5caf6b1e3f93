using System.Collections.Frozen;
using System.Runtime.InteropServices;
using Dispatcher.Contracts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// The rules of one topic pattern, found by what a job has: a rule that wants <c>env: prod</c> is not even looked at for a job with another env. So a decision costs
/// by the rules that may match, not by all there are. What is left out cannot count: its test of the value is false, or the value is absent and it is an ALLOW.
/// </summary>
internal sealed class RuleSet
{
    private readonly Rule[] _always;
    private readonly Shelf[] _shelves;

    public RuleSet(IReadOnlyList<Rule> rules)
    {
        Dictionary<(int Slot, string Value), int> sharing = [];
        foreach (var test in rules.SelectMany(Wants).SelectMany(test => test.Values.Select(value => (test.Slot, value))))
        {
            CollectionsMarshal.GetValueRefOrAddDefault(sharing, test, out _)++;
        }

        // The test that fewest rules share tells a rule best from the others.
        ILookup<int?, (Rule Rule, IsAnyOf? By)> shelves = rules
            .Select(rule => (rule, Wants(rule).MinBy(test => test.Values.Max(value => sharing[(test.Slot, value)]))))
            .ToLookup(pair => pair.Item2?.Slot);
        _always = [.. shelves[null].Select(pair => pair.Rule)];
        _shelves =
        [
            .. shelves
                .Where(shelf => shelf.Key is not null)
                .Select(shelf => new Shelf(shelf.Key!.Value, [.. shelf.Select(pair => (pair.Rule, pair.By!.Values))])),
        ];
    }

    /// <summary>Adds the rules that may match.</summary>
    public void AddCandidates(Facts facts, List<Rule> candidates)
    {
        candidates.AddRange(_always);
        foreach (var shelf in _shelves)
        {
            candidates.AddRange(shelf.For(facts));
        }
    }

    private static IEnumerable<IsAnyOf> Wants(Rule rule) => rule.Match.Parts.OfType<IsAnyOf>().Where(test => !test.Negated);

    /// <summary>Rules by the values that they want in one slot.</summary>
    private sealed class Shelf(int slot, IReadOnlyList<(Rule Rule, IReadOnlyList<string> Values)> rules)
    {
        private readonly FrozenDictionary<string, Rule[]> _byValue = rules
            .SelectMany(shelved => shelved.Values, (shelved, value) => (shelved.Rule, Value: value))
            .GroupBy(pair => pair.Value, pair => pair.Rule, StringComparer.Ordinal)
            .ToFrozenDictionary(same => same.Key, same => same.Distinct().ToArray(), StringComparer.Ordinal);

        private readonly Rule[] _restricting = [.. rules.Select(shelved => shelved.Rule).Where(rule => rule.Decision != Verdict.Allow)];

        public Rule[] For(Facts facts)
        {
            if (facts.Value(slot) is { } value)
            {
                return _byValue.GetValueOrDefault(value, []);
            }

            return facts.Absent(slot) == Truth.Unknown ? _restricting : [];
        }
    }
}
