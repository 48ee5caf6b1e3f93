using Dispatcher.Policies;
using Dispatcher.Policies.Explaining;

namespace Dispatcher.Api;

/// <summary>Decides jobs by two bundles and counts how the decisions differ.</summary>
internal sealed class JobComparison(Bundle old, Bundle candidate, DateTimeOffset now)
{
    private readonly BundleChanges _changes = new(old, candidate, now);
    private readonly HashSet<string> _met = new(StringComparer.Ordinal);

    /// <summary>Rules that a recorded job met which is widened: it shows what they do.</summary>
    private readonly HashSet<string> _widening = new(StringComparer.Ordinal);
    private readonly Groups _widened = new();
    private readonly Groups _narrowed = new();
    private int _jobs;
    private int _notComparable;
    private int _widenedCount;
    private int _narrowedCount;

    /// <summary>How many were looked at, also of those that cannot be compared.</summary>
    public int Looked => _jobs + _notComparable;

    public void Add(DecidedJob job)
    {
        if (job.Facts(attempt: 1) is not { } facts)
        {
            _notComparable++;
            return;
        }

        _jobs++;
        var (before, after) = (old.Decide(facts, now), candidate.Decide(facts, now));
        _met.UnionWith(before.MatchedRules);
        _met.UnionWith(after.MatchedRules);
        var change = DecisionChange.Between(before, after);
        if (change.Widened.Count > 0)
        {
            _widenedCount++;
            _widening.UnionWith(before.MatchedRules);
            _widening.UnionWith(after.MatchedRules);
        }

        _narrowedCount += change.Narrowed.Count > 0 ? 1 : 0;
        if (!change.IsNone)
        {
            (change.Widened.Count > 0 ? _widened : _narrowed).Add(ChangedJob.Of(job, before, after, change));
        }
    }

    public PolicyDiffView View(DateTimeOffset since, bool truncated)
    {
        var shown = _changes
            .Rules.Where(rule => !_widening.Contains(rule.Id))
            .Select(Shown)
            .Where(rule => !rule.IsMet || rule.MadeUp?.Widened.Count > 0)
            .ToList();
        return new PolicyDiffView
        {
            Old = old.Hash,
            New = candidate.Hash,
            Since = since,
            Jobs = _jobs,
            NotComparable = _notComparable,
            Truncated = truncated,
            Widened = _widenedCount,
            Narrowed = _narrowedCount,
            Changes = [.. _widened.All.Concat(_narrowed.All).Take(DecidedJobs.MostChanges)],
            UnshownRules = [.. shown.Take(DecidedJobs.MostUnshownRules)],
            UnshownRuleCount = shown.Count,
        };
    }

    private UnshownRule Shown(RuleChange rule) =>
        new(rule.Id, rule.Kind, rule.Where, _met.Contains(rule.Id), _changes.FindSample(rule) is { } made ? MadeUpJobView.Of(made) : null);

    /// <summary>Jobs that differ only in id and time, in the order in which the first of each came.</summary>
    private sealed class Groups
    {
        private readonly Dictionary<string, int> _places = new(StringComparer.Ordinal);
        private readonly List<ChangedJob> _all = [];

        public IReadOnlyList<ChangedJob> All => _all;

        public void Add(ChangedJob job)
        {
            var group = job.Group();
            if (_places.TryGetValue(group, out var place))
            {
                _all[place] = _all[place] with { Count = _all[place].Count + 1 };
            }
            else if (_all.Count < DecidedJobs.MostChanges)
            {
                _places.Add(group, _all.Count);
                _all.Add(job);
            }
        }
    }
}
