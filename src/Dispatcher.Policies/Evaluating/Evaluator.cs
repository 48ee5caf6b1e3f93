using System.Collections.Frozen;
using System.Runtime.InteropServices;
using Dispatcher.Contracts;
using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Loading;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Decides jobs by one bundle: (1) the registry checks the payload, checks and derives the labels; (2) the rules that may match are found; (3) each is tested; (4) what matched is
/// combined, or was for an earlier job.
/// </summary>
internal sealed class Evaluator
{
    private readonly FrozenDictionary<string, CompiledTopic> _topics;
    private readonly Rule[] _rules;
    private readonly string _policyHash;
    private readonly DecisionMemo _memo = new();

    public Evaluator(BundleContent content, string policyHash)
    {
        _policyHash = policyHash;
        _rules =
        [
            .. content.Rules.OrderBy(rule => rule.Id, StringComparer.Ordinal).Select((rule, number) => rule with { Number = number }),
        ];
        _topics = Compile(content.Topics, _rules, content.Slots).ToFrozenDictionary(topic => topic.JobClass.Topic, StringComparer.Ordinal);
    }

    /// <summary>The topics with the rules that fit each.</summary>
    public static IEnumerable<CompiledTopic> Compile(IReadOnlyList<CompiledTopic> topics, IReadOnlyList<Rule> rules, Slots slots)
    {
        var sets = rules.GroupBy(rule => rule.Topic).ToDictionary(same => same.Key, same => new RuleSet([.. same]));
        List<TopicPattern> wild = [.. sets.Keys.Where(pattern => !pattern.IsExact)];
        return topics.Select((topic, number) => topic.With(number, RulesFor(topic.JobClass.Topic), slots));

        RuleSet[] RulesFor(string topic) =>
            [
                .. wild.Where(pattern => pattern.Fits(topic))
                    .Append(new TopicPattern(topic))
                    .Where(sets.ContainsKey)
                    .Select(pattern => sets[pattern]),
            ];
    }

    public Decision Decide(JobFacts job, DateTimeOffset now) => Decide(job, now, everyRule: false);

    /// <summary>As <see cref="Bundle.Decide"/>, but every rule is tested: what the index is measured and tested against.</summary>
    public Decision DecideByScan(JobFacts job, DateTimeOffset now) => Decide(job, now, everyRule: true);

    /// <summary>Decides, and tells how each rule took part.</summary>
    public Explanation Explain(JobFacts job, DateTimeOffset now)
    {
        var decision = Decide(job, now);
        if (!_topics.TryGetValue(job.Topic, out var topic))
        {
            return Account.OfRefusal(decision, job.Labels, job.RiskTags);
        }

        var facts = Scratch.OfThread.Facts;
        var isRefused = Check(topic, job, facts) is not null;
        IReadOnlyList<string> tags = [.. job.RiskTags.Union(topic.JobClass.Tags, StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        return isRefused
            ? Account.OfRefusal(decision, facts.Labels(), tags)
            : new Explanation
            {
                Decision = decision,
                Labels = facts.Labels(),
                Tags = tags,
                Rules = [.. _rules.Select(rule => Account.Of(rule, facts, now))],
                Merge = Account.OfMerge(
                    decision,
                    [.. _rules.Where(rule => decision.MatchedRules.Contains(rule.Id, StringComparer.Ordinal))]
                ),
            };
    }

    /// <summary>For each rule that matches, by id: what would be decided if it were not there.</summary>
    public IReadOnlyDictionary<string, Decision> DecideWithoutEach(JobFacts job, DateTimeOffset now)
    {
        var decision = Decide(job, now);
        var facts = Scratch.OfThread.Facts;
        List<Rule> matched = [.. _rules.Where(rule => decision.MatchedRules.Contains(rule.Id, StringComparer.Ordinal))];
        return matched.ToDictionary(rule => rule.Id, Without, StringComparer.Ordinal);

        Decision Without(Rule missing)
        {
            var others = matched.FindAll(rule => rule != missing);
            var isGranted = others.Exists(rule => rule.Decision != Verdict.Deny && Test(rule, facts, now) == Truth.True);
            return new Combining(_topics[job.Topic], others, _policyHash).Decide(isGranted);
        }
    }

    /// <summary>What a rule says of a job.</summary>
    public static Truth Test(Rule rule, Facts facts, DateTimeOffset now) => rule.IsInEffect(now) ? rule.Match.Test(facts) : Truth.False;

    /// <summary>Silence never helps: what is only possibly true restricts, but never grants.</summary>
    public static bool Counts(Rule rule, Truth truth) => truth == Truth.True || (truth == Truth.Unknown && rule.Decision != Verdict.Allow);

    private Decision Decide(JobFacts job, DateTimeOffset now, bool everyRule)
    {
        var scratch = Scratch.OfThread;
        if (!_topics.TryGetValue(job.Topic, out var topic))
        {
            return UnknownTopic(job.Topic);
        }

        if (Check(topic, job, scratch.Facts) is { } denial)
        {
            return denial;
        }

        FindCandidates(topic, scratch, everyRule);
        var isGranted = TestCandidates(scratch, now);
        return Combine(topic, scratch.Matched, isGranted);
    }

    private Decision UnknownTopic(string topic) =>
        Decision.Denied(ReasonCodes.UnknownTopic, _policyHash) with
        {
            Detail = $"topic {topic} is not in topics.yaml{Hint(topic)}",
            BasisHash = Basis.Hash(null, [], null, null),
        };

    private string Hint(string topic) =>
        Nearest.To(topic, [.. _topics.Keys.Order(StringComparer.Ordinal)]) is { } nearest ? $"; did you mean {nearest}?" : "";

    // :: Step 1
    private Decision? Check(CompiledTopic topic, JobFacts job, Facts facts)
    {
        facts.Fill(job, topic);
        if (topic.Schema?.Check(job.Payload) is { Count: > 0 } errors)
        {
            return PayloadSchema.Denied(topic, errors, _policyHash);
        }

        return LabelCheck.Apply(topic, job, facts) is { } fault
            ? new Combining(topic, [], _policyHash).Denied(fault.Code, [], fault.Detail)
            : null;
    }

    // :: Step 2
    private void FindCandidates(CompiledTopic topic, Scratch scratch, bool everyRule)
    {
        scratch.Candidates.Clear();
        foreach (var rules in everyRule ? [] : topic.Rules)
        {
            rules.AddCandidates(scratch.Facts, scratch.Candidates);
        }

        foreach (var rule in everyRule ? _rules : [])
        {
            if (rule.Topic.Fits(topic.JobClass.Topic))
            {
                scratch.Candidates.Add(rule);
            }
        }
    }

    // :: Step 3
    private static bool TestCandidates(Scratch scratch, DateTimeOffset now)
    {
        var isGranted = false;
        scratch.Matched.Clear();
        foreach (var rule in scratch.Candidates)
        {
            var truth = Test(rule, scratch.Facts, now);
            if (Counts(rule, truth))
            {
                scratch.Matched.Add(rule.Number);
                isGranted |= truth == Truth.True && rule.Decision != Verdict.Deny;
            }
        }

        scratch.Matched.Sort();
        return isGranted;
    }

    // :: Step 4
    private Decision Combine(CompiledTopic topic, List<int> matched, bool isGranted)
    {
        var rules = matched.Count;
        matched.Add(topic.Number);
        matched.Add(isGranted ? 1 : 0);
        ReadOnlySpan<int> key = CollectionsMarshal.AsSpan(matched);
        if (_memo.Get(key) is { } known)
        {
            return known;
        }

        var decision = new Combining(topic, [.. matched.Take(rules).Select(number => _rules[number])], _policyHash).Decide(isGranted);
        _memo.Keep(key, decision);
        return decision;
    }
}
