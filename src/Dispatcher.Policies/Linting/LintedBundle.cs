using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Loading;

namespace Dispatcher.Policies.Linting;

/// <summary>What became of a search.</summary>
/// <param name="Job">The first that was found. Null: none.</param>
/// <param name="IsComplete">True: if none was found, there is none.</param>
internal readonly record struct Search(JobFacts? Job, bool IsComplete)
{
    public bool IsProvenEmpty => Job is null && IsComplete;
}

/// <summary>What is whole of a bundle, and searches for jobs in it by the very tests that decide.</summary>
internal sealed class LintedBundle
{
    // A rule with so many conditions that its jobs cannot be gone through is not reported, rather than guessed at.
    private const int MostJobsOfASearch = 20_000;
    private const int MostJobs = 1_500_000;

    private readonly Facts _facts = new();
    private readonly List<string> _brokenTopics;
    private readonly Dictionary<TopicPattern, IReadOnlyList<TopicSubject>> _fitting = [];
    private readonly Rule[] _brokenRules;
    private int _jobsLeft = MostJobs;

    public LintedBundle(BundleContent content, DateTimeOffset now)
    {
        Content = content;
        Now = now;
        Rules = [.. content.Rules.Where(rule => rule.IsWhole).OrderBy(rule => Place.Of(rule.Where)).Select((rule, number) => rule with { Number = number })];
        Live = [.. Rules.Where(rule => !IsExpired(rule))];
        _brokenRules = [.. content.Rules.Where(rule => !rule.IsWhole)];
        Topics = [.. Evaluator.Compile([.. content.Topics.Where(topic => topic.IsWhole)], Live, content.Slots).Select(topic => new TopicSubject(topic))];
        _brokenTopics = [.. content.Topics.Where(topic => !topic.IsWhole).Select(topic => topic.JobClass.Topic), .. content.UnreadTopics];
    }

    public BundleContent Content { get; }

    public DateTimeOffset Now { get; }

    /// <summary>The rules without error, in the order of their places.</summary>
    public IReadOnlyList<Rule> Rules { get; }

    /// <summary>Those that are or will be in effect.</summary>
    public IReadOnlyList<Rule> Live { get; }

    /// <summary>The topics without error.</summary>
    public IReadOnlyList<TopicSubject> Topics { get; }

    /// <summary>Every topic that the registry names, also with errors.</summary>
    public IReadOnlyList<string> TopicNames => [.. Topics.Select(topic => topic.Name), .. _brokenTopics];

    public bool IsExpired(Rule rule) => rule.Until <= Now;

    public IReadOnlyList<TopicSubject> TopicsOf(Rule rule)
    {
        if (!_fitting.TryGetValue(rule.Topic, out IReadOnlyList<TopicSubject>? topics))
        {
            topics = [.. Topics.Where(topic => rule.Topic.Fits(topic.Name))];
            _fitting.Add(rule.Topic, topics);
        }

        return topics;
    }

    /// <summary>Whether the rule is for a topic of whose entry nothing certain can be said.</summary>
    public bool FitsBrokenTopic(Rule rule) => _brokenTopics.Exists(rule.Topic.Fits);

    /// <summary>Whether a rule that could not be read may be for this topic.</summary>
    public bool MayMissRulesFor(TopicSubject topic) => !Content.HasAllRules || Array.Exists(_brokenRules, rule => rule.Topic.Fits(topic.Name));

    /// <summary>A job on which the rule counts.</summary>
    public Search FindCounting(TopicSubject topic, Rule rule) => Find(topic, [rule], facts => Counts(rule, facts));

    /// <summary>A job that the rule definitely matches.</summary>
    public Search FindMatching(TopicSubject topic, Rule rule) => Find(topic, [rule], facts => rule.Match.Test(facts) == Truth.True);

    /// <summary>Any job that gets as far as the rules.</summary>
    public JobFacts? AnyJob(TopicSubject topic)
    {
        Rule anything = new() { Id = "", Where = "", Topic = new TopicPattern(TopicPattern.Any), Match = new AllOf([]) { Where = "" }, Decision = Verdict.Allow, ContentHash = [] };
        return FindMatching(topic, anything).Job;
    }

    /// <summary>A job for which <paramref name="holds"/>.</summary>
    /// <param name="topic">Whose job.</param>
    /// <param name="rules">All rules that <paramref name="holds"/> asks; the first must match at least possibly.</param>
    /// <param name="holds">Gets what the rules may see.</param>
    public Search Find(TopicSubject topic, IReadOnlyList<Rule> rules, Func<Facts, bool> holds)
    {
        int left = MostJobsOfASearch;
        foreach (JobFacts job in new JobSpace(topic, rules, rules[0]).Jobs())
        {
            if (left-- == 0 || _jobsLeft-- <= 0)
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

    /// <summary>The rules that count on a job.</summary>
    public IReadOnlyList<Rule> CountingOn(TopicSubject topic, JobFacts job)
    {
        _facts.Fill(job, topic.Compiled);
        _ = LabelCheck.Apply(topic.Compiled, job, _facts);
        List<Rule> candidates = [];
        foreach (RuleSet rules in topic.Compiled.Rules)
        {
            rules.AddCandidates(_facts, candidates);
        }

        candidates.RemoveAll(rule => !Counts(rule, _facts));
        return candidates;
    }

    public static bool Counts(Rule rule, Facts facts) => Evaluator.Counts(rule, rule.Match.Test(facts));
}
