using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>What became of a search.</summary>
/// <param name="Job">The first that was found. Null: none.</param>
/// <param name="IsComplete">True: if none was found, there is none.</param>
internal readonly record struct Search(JobFacts? Job, bool IsComplete)
{
    public bool IsProvenEmpty => Job is null && IsComplete;
}

/// <summary>What can be said of a bundle, also of one with errors, and searches for jobs in it by the very tests that decide.</summary>
internal sealed class LintedBundle
{
    // A rule with so many conditions that its jobs cannot be gone through is not reported, rather than guessed at.
    private const int MostJobsOfASearch = 20_000;

    // What one kind of check may spend, in jobs looked at: keeps the worst bundle of 10,000 rules below ten seconds.
    private const int Allowance = 200_000;
    private const int CostOfASearch = 8;
    private const int RulesForAJob = 10;

    private static readonly LabelSpec Unregistered = new();

    private readonly Facts _facts = new();
    private readonly Dictionary<TopicPattern, IReadOnlyList<TopicSubject>> _fitting = [];
    private readonly Rule[] _uncertain;
    private readonly Dictionary<int, string> _fresh;
    private readonly HashSet<int> _doubtful = [];
    private int _left;

    public LintedBundle(BundleContent content, DateTimeOffset now)
    {
        Content = content;
        Now = now;
        Rules = [.. content.Rules.OrderBy(rule => SourceLine.Of(rule.Where)).Select((rule, number) => rule with { Number = number })];
        Live = [.. Rules.Where(rule => rule.IsCertain && !IsExpired(rule))];
        _fresh = Live.SelectMany(Leaves.Of)
            .Select(leaf => leaf.Test)
            .OfType<IsAnyOf>()
            .GroupBy(test => test.Slot)
            .ToDictionary(same => same.Key, same => Fresh.Besides(same.SelectMany(test => test.Values), "other"));
        _uncertain = [.. Rules.Where(rule => !rule.IsCertain && !IsExpired(rule))];
        Topics = [.. Evaluator.Compile(content.Topics, Live, content.Slots).Select(topic => new TopicSubject(topic))];
    }

    public BundleContent Content { get; }

    public DateTimeOffset Now { get; }

    /// <summary>The rules in the order of their places, also those with errors.</summary>
    public IReadOnlyList<Rule> Rules { get; }

    /// <summary>Those of which it is certain what they do, and that are or will be in effect.</summary>
    public IReadOnlyList<Rule> Live { get; }

    /// <summary>The topics that could be read, also those with errors.</summary>
    public IReadOnlyList<TopicSubject> Topics { get; }

    /// <summary>True: some searches were not made, because there would be too many.</summary>
    public bool IsCut { get; private set; }

    /// <summary>The rule has a word that the registry does not: it may match far more or less than is meant.</summary>
    public void Doubt(Rule rule) => _doubtful.Add(rule.Number);

    public bool IsDoubtful(Rule rule) => _doubtful.Contains(rule.Number);

    /// <summary>Begins a kind of check, with an allowance of its own.</summary>
    public void Begin() => _left = Allowance;

    public bool IsExpired(Rule rule) => rule.Until <= Now;

    public IReadOnlyList<TopicSubject> TopicsOf(Rule rule)
    {
        if (!_fitting.TryGetValue(rule.Topic, out var topics))
        {
            topics = [.. Topics.Where(topic => rule.Topic.Fits(topic.Name))];
            _fitting.Add(rule.Topic, topics);
        }

        return topics;
    }

    /// <summary>Whether a pattern fits a topic of whose entry nothing can be said.</summary>
    public bool FitsUnread(TopicPattern pattern) => Content.UnreadTopics.Any(pattern.Fits);

    /// <summary>Whether a rule of which nothing certain can be said may be for this topic. One that names no topic is for none: else one slip would hide every topic without rules.</summary>
    public bool MayMissRulesFor(TopicSubject topic) =>
        Content.LostRules.Any(pattern => pattern.Fits(topic.Name))
        || Array.Exists(_uncertain, rule => !rule.Broken.Contains("topic") && rule.Topic.Fits(topic.Name));

    /// <summary>A job on which the rule counts.</summary>
    public Search FindCounting(TopicSubject topic, Rule rule) => Find(topic, [rule], facts => Counts(rule, facts));

    /// <summary>A job that the rule definitely matches.</summary>
    public Search FindMatching(TopicSubject topic, Rule rule) => Find(topic, [rule], facts => rule.Match.Test(facts) == Truth.True);

    /// <summary>
    /// Jobs that can be submitted and that the rule counts on: first those that no other rule has a word for, then with what the topic's other rules name.
    /// </summary>
    /// <param name="topic">Whose jobs.</param>
    /// <param name="rule">The rule.</param>
    /// <param name="most">How many jobs to look at, of each kind.</param>
    public IEnumerable<JobFacts> JobsOf(TopicSubject topic, Rule rule, int most)
    {
        IReadOnlyList<Rule> all = [rule, .. Live.Where(other => other.Number != rule.Number && other.Topic.Fits(topic.Name))];
        var plain = new JobSpace(topic, [rule], rule).Jobs().Take(most).Select(job => FilledIn(topic, rule, job));
        return plain
            .Concat(new JobSpace(topic, all, rule).Jobs().Take(most))
            .Where(job => IsCountedOn(topic, rule, job))
            .Select(Submittable)
            .OfType<JobFacts>();
    }

    private bool IsCountedOn(TopicSubject topic, Rule rule, JobFacts job)
    {
        _facts.Fill(job, topic.Compiled);
        return LabelCheck.Apply(topic.Compiled, job, _facts) is null && Counts(rule, _facts);
    }

    /// <summary>The job with a payload that its topic's schema takes. Null: none was found that gives it the same labels.</summary>
    public JobFacts? Submittable(JobFacts job)
    {
        TopicSubject topic = Topics.First(topic => topic.Name == job.Topic);
        if (topic.Compiled.Schema is not { } schema)
        {
            return job;
        }

        return schema.Complete(job.Payload) is { } payload && topic.HasSameLabels(job.Payload, payload)
            ? job with
            {
                Payload = payload,
            }
            : null;
    }

    /// <summary>Any job that gets as far as the rules.</summary>
    public JobFacts? AnyJob(TopicSubject topic)
    {
        Rule anything = new()
        {
            Id = "",
            Where = "",
            Topic = new TopicPattern(TopicPattern.Any),
            Match = new AllOf([]) { Where = "" },
            Decision = Verdict.Allow,
            ContentHash = [],
        };
        return FindMatching(topic, anything).Job;
    }

    /// <summary>A job for which <paramref name="holds"/>.</summary>
    /// <param name="topic">Whose job.</param>
    /// <param name="rules">All rules that <paramref name="holds"/> asks; the first must match at least possibly.</param>
    /// <param name="holds">Gets what the rules may see.</param>
    public Search Find(TopicSubject topic, IReadOnlyList<Rule> rules, Func<Facts, bool> holds)
    {
        if (rules.Any(rule => rule.Broken.Contains("match") || topic.IsVague(rule)) || !Spend(CostOfASearch))
        {
            return new Search(null, IsComplete: false);
        }

        var left = MostJobsOfASearch;
        foreach (var job in new JobSpace(topic, rules, rules[0]).Jobs())
        {
            if (left-- == 0 || !Spend(1))
            {
                return new Search(null, IsComplete: false);
            }

            _facts.Fill(job, topic.Compiled);
            if (LabelCheck.Apply(topic.Compiled, job, _facts) is null && holds(_facts))
            {
                return new Search(job, IsComplete: true);
            }
        }

        return new Search(null, topic.IsExact);
    }

    /// <summary>The job with a value that no rule names wherever the rule does not look and the registry allows any: the rule sees no difference, most others do.</summary>
    public JobFacts FilledIn(TopicSubject topic, Rule rule, JobFacts job)
    {
        HashSet<int> tested = [.. Leaves.Of(rule).Select(leaf => Leaves.Slot(leaf.Test)).OfType<int>()];
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach ((var label, var value) in job.Labels)
        {
            labels.Add(label, value);
        }

        foreach ((var slot, var value) in _fresh)
        {
            if (
                !tested.Contains(slot)
                && topic.Slots.LabelOf(slot) is { } label
                && (topic.Spec(label) ?? Unregistered) is { Values: null, Source: LabelSource.Producer }
            )
            {
                labels[label] = value;
            }
        }

        var workflow = tested.Contains(Slots.Workflow) ? job.WorkflowId : _fresh.GetValueOrDefault(Slots.Workflow);
        return job with { Labels = labels, WorkflowId = workflow };
    }

    /// <summary>The rules that count on a job.</summary>
    public IReadOnlyList<Rule> CountingOn(TopicSubject topic, JobFacts job)
    {
        _facts.Fill(job, topic.Compiled);
        _ = LabelCheck.Apply(topic.Compiled, job, _facts);
        List<Rule> candidates = [];
        foreach (var rules in topic.Compiled.Rules)
        {
            rules.AddCandidates(_facts, candidates);
        }

        Spend(candidates.Count / RulesForAJob);
        candidates.RemoveAll(rule => !Counts(rule, _facts));
        return candidates;
    }

    public static bool Counts(Rule rule, Facts facts) => Evaluator.Counts(rule, rule.Match.Test(facts));

    /// <summary>False: this kind of check has spent what it may.</summary>
    private bool Spend(int cost)
    {
        _left -= cost;
        IsCut |= _left < 0;
        return _left >= 0;
    }
}
