using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Linting;

/// <summary>Grants that a producer gets, and restrictions that it avoids, by what it says or leaves out.</summary>
internal sealed class WordLint(LintedBundle bundle, FindingList findings)
{
    public void Run()
    {
        foreach (Rule rule in bundle.Live)
        {
            foreach (TopicSubject topic in bundle.TopicsOf(rule).Where(topic => topic.JobClass.Risk == "high"))
            {
                CheckGrant(rule, topic);
            }

            CheckRestriction(rule);
        }
    }

    private void CheckGrant(Rule rule, TopicSubject topic)
    {
        List<string> words = [.. Leaves.Of(rule).Select(leaf => Word(leaf.Test, topic)).OfType<string>().Distinct(StringComparer.Ordinal)];
        if (rule.Decision <= Verdict.AllowWithConstraints && words.Count > 0 && bundle.FindMatching(topic, rule).Job is { } witness)
        {
            findings.Warning(
                rule.Where, LintCodes.ProducersWord,
                $"{rule.Id} grants on {topic.Name}, whose risk is high, by the producer's word alone: {string.Join(", ", words)}; allowed: labels that are derived, principals, tags under 'always'.",
                "derive the label from the payload, name the principals, write REQUIRE_APPROVAL, or make sure that the worker checks it.", witness);
        }
    }

    /// <summary>What a producer says by itself, in words. Null: the test looks at something that it cannot choose.</summary>
    private static string? Word(Predicate test, TopicSubject topic)
    {
        if (test is HasTags tags)
        {
            List<string> stated = [.. tags.Tags.Except(topic.JobClass.Tags, StringComparer.Ordinal)];
            return stated.Count == 0 ? null : $"risk tag {string.Join(", ", stated)}";
        }

        return Leaves.Slot(test) switch
        {
            null or Slots.Principal => null,
            Slots.Workflow => "workflow_id",
            { } slot => topic.Slots.LabelOf(slot) is { } label && (topic.Spec(label)?.Source ?? LabelSource.Producer) == LabelSource.Producer ? $"label {label}" : null,
        };
    }

    private void CheckRestriction(Rule rule)
    {
        if (rule.Decision == Verdict.Allow)
        {
            return;
        }

        foreach (IsAnyOf test in rule.Match.Parts.OfType<IsAnyOf>())
        {
            foreach (TopicSubject topic in bundle.TopicsOf(rule))
            {
                if (IsAvoidable(topic, test) && WithoutIt(topic, rule, test) is { } witness)
                {
                    findings.Warning(
                        test.Where, LintCodes.AvoidableRestriction,
                        $"{rule.Id} ({VerdictNames.Of(rule.Decision)}) does not hold for a job of {topic.Name} without {test.Name}, since topics.yaml says absent: no_match; allowed: a label whose absence restricts.",
                        "make the label required or remove 'absent: no_match' in topics.yaml.", witness);
                    break;
                }
            }
        }
    }

    private static bool IsAvoidable(TopicSubject topic, IsAnyOf test) =>
        topic.Slots.LabelOf(test.Slot) is { } label && topic.Spec(label) is { AbsentIsNoMatch: true, Required: false, Source: not LabelSource.Principal };

    /// <summary>A job that the rule would match, had it the label. Null: there is none, or the rule matches nothing anyway.</summary>
    private JobFacts? WithoutIt(TopicSubject topic, Rule rule, IsAnyOf test) => bundle.FindCounting(topic, rule).Job is null ? null : bundle.Find(
        topic, [rule],
        facts => facts.Value(test.Slot) is null && rule.Match.Parts.All(part => part == test || part.Test(facts) != Truth.False)).Job;
}
