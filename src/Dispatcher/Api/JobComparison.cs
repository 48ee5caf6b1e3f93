using Dispatcher.Policies;
using Dispatcher.Policies.Explaining;

namespace Dispatcher.Api;

/// <summary>Evaluates jobs by two bundles and counts how the decisions differ.</summary>
internal sealed class JobComparison(Bundle old, Bundle candidate, DateTimeOffset now)
{
    private readonly BundleChanges _changes = new(old, candidate, now);
    private readonly HashSet<string> _matched = new(StringComparer.Ordinal);

    /// <summary>Rules that matched a recorded job whose decision is widened: that job shows their effect.</summary>
    private readonly HashSet<string> _widening = new(StringComparer.Ordinal);
    private readonly Groups _widened = new();
    private readonly Groups _narrowed = new();
    private int _jobs;
    private int _notComparable;
    private int _widenedCount;
    private int _narrowedCount;

    /// <summary>Number of submissions that were read, including those that cannot be compared.</summary>
    public int Read => _jobs + _notComparable;

    public void Add(StoredSubmission job)
    {
        if (job.Facts(attempt: 1) is not { } facts)
        {
            _notComparable++;
            return;
        }

        _jobs++;
        var (before, after) = (old.Decide(facts, now), candidate.Decide(facts, now));
        _matched.UnionWith(before.MatchedRules);
        _matched.UnionWith(after.MatchedRules);
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
        var unshown = _changes
            .Rules.Where(rule => !_widening.Contains(rule.Id))
            .Select(View)
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
            Changes = [.. _widened.All.Concat(_narrowed.All).Take(StoredDecisions.MaxChanges)],
            UnshownRules = [.. unshown.Take(StoredDecisions.MaxUnshownRules)],
            UnshownRuleCount = unshown.Count,
        };
    }

    private UnshownRule View(RuleChange rule) =>
        new(
            rule.Id,
            rule.Kind,
            rule.Where,
            _matched.Contains(rule.Id),
            _changes.FindSample(rule) is { } made ? MadeUpJobView.Of(made) : null
        );

    /// <summary>Groups jobs that differ only in id and time, in the order of the first job of each group.</summary>
    private sealed class Groups
    {
        private readonly Dictionary<string, int> _positions = new(StringComparer.Ordinal);
        private readonly List<ChangedJob> _all = [];

        public IReadOnlyList<ChangedJob> All => _all;

        public void Add(ChangedJob job)
        {
            var group = job.Group();
            if (_positions.TryGetValue(group, out var position))
            {
                _all[position] = _all[position] with { Count = _all[position].Count + 1 };
            }
            else if (_all.Count < StoredDecisions.MaxChanges)
            {
                _positions.Add(group, _all.Count);
                _all.Add(job);
            }
        }
    }
}
