using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>The result of a search.</summary>
/// <param name="Job">The first job found. Null: none.</param>
/// <param name="IsComplete">True: if no job was found, none exists.</param>
internal readonly record struct Search(JobFacts? Job, bool IsComplete)
{
    public bool IsProvenEmpty => Job is null && IsComplete;
}

/// <summary>A bundle under lint, possibly with errors. Searches for jobs with the same tests that decide them.</summary>
internal sealed class LintedBundle
{
    // The maximum number of jobs in one search. A rule with more is not reported, because nothing is proven.
    private const int MaxJobsPerSearch = 20_000;

    // The budget of one kind of check, in tested jobs. It keeps the worst bundle of 10,000 rules below ten seconds.
    private const int Allowance = 200_000;
    private const int CostOfASearch = 8;
    private const int RulesForAJob = 10;

    private static readonly LabelSpec Unregistered = new();

    private readonly Facts _facts = new();
    private readonly Dictionary<TopicPattern, IReadOnlyList<LintedTopic>> _fitting = [];
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
            .GroupBy(test => test.Attribute)
            .ToDictionary(same => same.Key, same => UnusedValue.Besides(same.SelectMany(test => test.Values), "other"));
        _uncertain = [.. Rules.Where(rule => !rule.IsCertain && !IsExpired(rule))];
        Topics = [.. Evaluator.Compile(content.Topics, Live, content.Attributes).Select(topic => new LintedTopic(topic))];
    }

    public BundleContent Content { get; }

    public DateTimeOffset Now { get; }

    /// <summary>All rules in the order of their lines, including those with errors.</summary>
    public IReadOnlyList<Rule> Rules { get; }

    /// <summary>The rules whose effect is certain, and that are or will be in effect.</summary>
    public IReadOnlyList<Rule> Live { get; }

    /// <summary>The topics that could be read, including those with errors.</summary>
    public IReadOnlyList<LintedTopic> Topics { get; }

    /// <summary>True: some searches were skipped because the budget was used up.</summary>
    public bool IsCut { get; private set; }

    /// <summary>
    /// Records that the rule has a word that the registry does not know. It may match far more or fewer jobs than intended.
    /// </summary>
    public void Doubt(Rule rule) => _doubtful.Add(rule.Number);

    public bool IsDoubtful(Rule rule) => _doubtful.Contains(rule.Number);

    /// <summary>Starts a kind of check with a new budget.</summary>
    public void Begin() => _left = Allowance;

    public bool IsExpired(Rule rule) => rule.Until <= Now;

    public IReadOnlyList<LintedTopic> TopicsOf(Rule rule)
    {
        if (!_fitting.TryGetValue(rule.Topic, out var topics))
        {
            topics = [.. Topics.Where(topic => rule.Topic.Fits(topic.Name))];
            _fitting.Add(rule.Topic, topics);
        }

        return topics;
    }

    /// <summary>Whether a pattern matches a topic whose entry could not be read.</summary>
    public bool FitsUnread(TopicPattern pattern) => Content.UnreadTopics.Any(pattern.Fits);

    /// <summary>
    /// Whether a rule with an uncertain effect may be for this topic. A rule that names no topic is ignored here: otherwise one slip would
    /// hide every topic without rules.
    /// </summary>
    public bool MayMissRulesFor(LintedTopic topic) =>
        Content.UnreadRules.Any(pattern => pattern.Fits(topic.Name))
        || Array.Exists(_uncertain, rule => !rule.Broken.Contains("topic") && rule.Topic.Fits(topic.Name));

    /// <summary>Finds a job on which the rule counts.</summary>
    public Search FindCounting(LintedTopic topic, Rule rule) => Find(topic, [rule], facts => Counts(rule, facts));

    /// <summary>Finds a job that the rule definitely matches.</summary>
    public Search FindMatching(LintedTopic topic, Rule rule) => Find(topic, [rule], facts => rule.Match.Test(facts) == Truth.True);

    /// <summary>
    /// Jobs that can be submitted and on which the rule counts: first with values that no other rule names, then with values that the
    /// topic's other rules name.
    /// </summary>
    /// <param name="topic">The topic of the jobs.</param>
    /// <param name="rule">The rule.</param>
    /// <param name="most">The maximum number of tested jobs, of each kind.</param>
    public IEnumerable<JobFacts> JobsOf(LintedTopic topic, Rule rule, int most)
    {
        IReadOnlyList<Rule> all = [rule, .. Live.Where(other => other.Number != rule.Number && other.Topic.Fits(topic.Name))];
        var plain = new JobSpace(topic, [rule], rule).Jobs().Take(most).Select(job => FilledIn(topic, rule, job));
        return plain
            .Concat(new JobSpace(topic, all, rule).Jobs().Take(most))
            .Where(job => IsCountedOn(topic, rule, job))
            .Select(Submittable)
            .OfType<JobFacts>();
    }

    private bool IsCountedOn(LintedTopic topic, Rule rule, JobFacts job)
    {
        _facts.Fill(job, topic.Compiled);
        return LabelCheck.Apply(topic.Compiled, job, _facts) is null && Counts(rule, _facts);
    }

    /// <summary>
    /// The job with a payload that is valid against the schema of its topic. Null: no such payload with the same labels was found.
    /// </summary>
    public JobFacts? Submittable(JobFacts job)
    {
        LintedTopic topic = Topics.First(topic => topic.Name == job.Topic);
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

    /// <summary>Any job that reaches the rules.</summary>
    public JobFacts? AnyJob(LintedTopic topic)
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

    /// <summary>Finds a job for which <paramref name="holds"/> is true.</summary>
    /// <param name="topic">The topic of the job.</param>
    /// <param name="rules">All rules that <paramref name="holds"/> evaluates. The first must match at least possibly.</param>
    /// <param name="holds">The condition, given the facts that rules test.</param>
    public Search Find(LintedTopic topic, IReadOnlyList<Rule> rules, Func<Facts, bool> holds)
    {
        if (rules.Any(rule => rule.Broken.Contains("match") || topic.IsUncertain(rule)) || !Spend(CostOfASearch))
        {
            return new Search(null, IsComplete: false);
        }

        var left = MaxJobsPerSearch;
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

    /// <summary>
    /// The job with an unnamed value in each free label that the rule does not test. The rule sees no difference; most other rules do.
    /// </summary>
    public JobFacts FilledIn(LintedTopic topic, Rule rule, JobFacts job)
    {
        HashSet<int> tested = [.. Leaves.Of(rule).Select(leaf => Leaves.Attribute(leaf.Test)).OfType<int>()];
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach ((var label, var value) in job.Labels)
        {
            labels.Add(label, value);
        }

        foreach ((var attribute, var value) in _fresh)
        {
            if (
                !tested.Contains(attribute)
                && topic.Attributes.LabelOf(attribute) is { } label
                && (topic.Spec(label) ?? Unregistered) is { Values: null, Source: LabelSource.Producer }
            )
            {
                labels[label] = value;
            }
        }

        var workflow = tested.Contains(Attributes.Workflow) ? job.WorkflowId : _fresh.GetValueOrDefault(Attributes.Workflow);
        return job with { Labels = labels, WorkflowId = workflow };
    }

    /// <summary>The rules that count on a job.</summary>
    public IReadOnlyList<Rule> CountingOn(LintedTopic topic, JobFacts job)
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

    /// <summary>Uses up a part of the budget. False: the budget of this kind of check is used up.</summary>
    private bool Spend(int cost)
    {
        _left -= cost;
        IsCut |= _left < 0;
        return _left >= 0;
    }
}
