using System.Collections.Frozen;
using System.Runtime.InteropServices;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Decides jobs with one bundle: (1) checks the payload and the labels against the registry, and derives labels; (2) finds the rules that
/// may match; (3) tests each of them; (4) combines the rules that matched, or returns the cached result of the same combination.
/// </summary>
internal sealed class Evaluator
{
    private const int ErrorsInDetail = 3;

    private readonly FrozenDictionary<string, CompiledTopic> _topics;
    private readonly Rule[] _rules;
    private readonly string _policyHash;
    private readonly DecisionCache _cache = new();

    public Evaluator(BundleContent content, string policyHash)
    {
        _policyHash = policyHash;
        _rules =
        [
            .. content.Rules.OrderBy(rule => rule.Id, StringComparer.Ordinal).Select((rule, number) => rule with { Number = number }),
        ];
        _topics = Compile(content.Topics, _rules, content.Attributes)
            .ToFrozenDictionary(topic => topic.JobClass.Topic, StringComparer.Ordinal);
    }

    /// <summary>The topics, each with the rules for it.</summary>
    public static IEnumerable<CompiledTopic> Compile(IReadOnlyList<CompiledTopic> topics, IReadOnlyList<Rule> rules, Attributes attributes)
    {
        var sets = rules.GroupBy(rule => rule.Topic).ToDictionary(same => same.Key, same => new RuleSet([.. same]));
        List<TopicPattern> wild = [.. sets.Keys.Where(pattern => !pattern.IsExact)];
        return topics.Select((topic, number) => topic.With(number, RulesFor(topic.JobClass.Topic), attributes));

        RuleSet[] RulesFor(string topic) =>
            [
                .. wild.Where(pattern => pattern.Fits(topic))
                    .Append(new TopicPattern(topic))
                    .Where(sets.ContainsKey)
                    .Select(pattern => sets[pattern]),
            ];
    }

    /// <summary>All rules, by id.</summary>
    public IReadOnlyList<Rule> Rules => _rules;

    /// <summary>The registered topic of a job. Null: the topic is unknown.</summary>
    public CompiledTopic? TopicOf(JobFacts job) => _topics.GetValueOrDefault(job.Topic);

    public Decision Decide(JobFacts job, DateTimeOffset now) => Decide(job, now, everyRule: false);

    /// <summary>
    /// As <see cref="Decide(JobFacts, DateTimeOffset)"/>, but tests every rule: the index is measured and tested against it.
    /// </summary>
    public Decision DecideByScan(JobFacts job, DateTimeOffset now) => Decide(job, now, everyRule: true);

    /// <summary>The decision without each of the rules that match, by the id of the missing rule.</summary>
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
            return new RuleCombiner(_topics[job.Topic], others, _policyHash).Decide(isGranted);
        }
    }

    /// <summary>The result of a rule for a job.</summary>
    public static Truth Test(Rule rule, Facts facts, DateTimeOffset now) => rule.IsInEffect(now) ? rule.Match.Test(facts) : Truth.False;

    /// <summary>
    /// Whether a rule counts. A missing fact never helps a job: a rule that is only possibly true restricts, but does not grant.
    /// </summary>
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

    /// <summary>
    /// Checks the payload and the labels against the registry and sets <paramref name="facts"/> to what the rules may see. Answers the
    /// denial, or null.
    /// </summary>
    // :: Step 1
    public Decision? Check(CompiledTopic topic, JobFacts job, Facts facts)
    {
        facts.Fill(job, topic);
        if (topic.Schema?.Check(job.Payload) is { Count: > 0 } errors)
        {
            return PayloadDenied(topic, errors);
        }

        return LabelCheck.Apply(topic, job, facts) is { } fault
            ? new RuleCombiner(topic, [], _policyHash).Denied(fault.Code, [], fault.Detail)
            : null;
    }

    private Decision PayloadDenied(CompiledTopic topic, IReadOnlyList<PayloadError> errors) =>
        Decision.Denied(ReasonCodes.PayloadInvalid, _policyHash) with
        {
            Detail = string.Join(
                " ",
                errors.Take(ErrorsInDetail).Select(error => $"{(error.Path.Length == 0 ? "payload" : error.Path)}: {error.Message}")
            ),
            PayloadErrors = errors,
            BasisHash = Basis.Hash(topic, [], null, null),
            JobClass = topic.JobClass,
        };

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
        if (_cache.Get(key) is { } known)
        {
            return known;
        }

        var decision = new RuleCombiner(topic, [.. matched.Take(rules).Select(number => _rules[number])], _policyHash).Decide(isGranted);
        _cache.Keep(key, decision);
        return decision;
    }
}
