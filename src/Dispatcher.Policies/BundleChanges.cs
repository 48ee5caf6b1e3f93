using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Linting;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies;

/// <summary>
/// The rules that differ between two bundles, and sample jobs that show the effect of each. No producer submitted these jobs. Not safe for
/// concurrent use.
/// </summary>
public sealed class BundleChanges
{
    // Bounds the time of one comparison: a decision takes microseconds.
    private const int MaxJobs = 100_000;
    private const int MaxJobsPerRule = 5_000;
    private const int MaxTopicsPerRule = 5;

    // After a job shows that a rule narrows something, at most this many more are tried to find one that it widens.
    private const int MoreForWidening = 500;

    private readonly Bundle _old;
    private readonly Bundle _candidate;
    private readonly DateTimeOffset _now;
    private readonly LintedBundle[] _versions;
    private int _left = MaxJobs;

    /// <param name="old">The previous bundle.</param>
    /// <param name="candidate">The new bundle.</param>
    /// <param name="now">The time of the decisions. It selects the rules that are in effect.</param>
    public BundleChanges(Bundle old, Bundle candidate, DateTimeOffset now)
    {
        (_old, _candidate, _now) = (old, candidate, now);
        _versions = [Linted(candidate, now), Linted(old, now)];
        var before = _versions[1].Rules.ToDictionary(rule => rule.Id, StringComparer.Ordinal);
        var after = _versions[0].Rules.ToDictionary(rule => rule.Id, StringComparer.Ordinal);
        Rules =
        [
            .. from id in before.Keys.Union(after.Keys).Order(StringComparer.Ordinal)
            let was = before.GetValueOrDefault(id)
            let becomes = after.GetValueOrDefault(id)
            where was is null || becomes is null || !was.ContentHash.AsSpan().SequenceEqual(becomes.ContentHash)
            select new RuleChange(
                id,
                was is null ? "added"
                    : becomes is null ? "removed"
                    : "changed",
                (becomes ?? was)!.Where
            ),
        ];
    }

    /// <summary>Sorted by id.</summary>
    public IReadOnlyList<RuleChange> Rules { get; }

    /// <summary>
    /// Finds a job whose decision the rule affects, in the new version or in the old one. Prefers a job that the new bundle treats more
    /// freely, then one that it treats more strictly. Null: none was found, for example because the rule is not in effect or matches no
    /// topic.
    /// </summary>
    public SampleJob? FindSample(RuleChange change)
    {
        SampleJob? best = null;
        var more = MaxJobsPerRule;
        foreach (var job in _versions.SelectMany(version => Jobs(version, change.Id)))
        {
            if (--_left < 0 || --more < 0)
            {
                break;
            }

            SampleJob made = new(job, _old.Decide(job, _now), _candidate.Decide(job, _now));
            if (made.Change.Widened.Count > 0)
            {
                return made;
            }

            if (best is null || (best.Change.IsNone && !made.Change.IsNone))
            {
                best = made;
                more = made.Change.IsNone ? more : Math.Min(more, MoreForWidening);
            }
        }

        return best;
    }

    private static IEnumerable<JobFacts> Jobs(LintedBundle bundle, string id) =>
        bundle.Live.FirstOrDefault(rule => rule.Id == id) is { } rule
            ? bundle.TopicsOf(rule).Take(MaxTopicsPerRule).SelectMany(topic => bundle.JobsOf(topic, rule, MaxJobsPerRule))
            : [];

    private static LintedBundle Linted(Bundle bundle, DateTimeOffset now)
    {
        // A loaded bundle has no errors.
        ErrorList none = new();
        return new LintedBundle(BundleReader.Read(BundleArchive.Unpack(bundle.Archive, none)!, none), now);
    }
}

/// <summary>A rule that only one bundle has, or that differs between the two.</summary>
/// <param name="Id">The rule's id.</param>
/// <param name="Kind"><c>added</c>, <c>removed</c> or <c>changed</c>.</param>
/// <param name="Where">File and line, in the new bundle if the rule is there.</param>
public sealed record RuleChange(string Id, string Kind, string Where);

/// <summary>A sample job with the decisions of both bundles.</summary>
/// <param name="Job">The job.</param>
/// <param name="Before">The decision of the old bundle.</param>
/// <param name="After">The decision of the new bundle.</param>
public sealed record SampleJob(JobFacts Job, Decision Before, Decision After)
{
    /// <summary>How the second decision differs.</summary>
    public DecisionChange Change { get; } = DecisionChange.Between(Before, After);
}
