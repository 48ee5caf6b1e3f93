using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>Grants that anybody gets or a producer by what it says, and restrictions that it avoids by what it leaves out.</summary>
internal sealed class WordLint(LintedBundle bundle, FindingList findings)
{
    public void Run()
    {
        foreach (var rule in bundle.Live)
        {
            List<TopicSubject> risky =
                rule.Decision <= Verdict.AllowWithConstraints
                    ? [.. bundle.TopicsOf(rule).Where(topic => topic.JobClass.Risk == "high")]
                    : [];
            CheckConditions(rule, risky);
            foreach (var topic in risky)
            {
                CheckGrant(rule, topic);
            }

            CheckRestriction(rule);
        }
    }

    private void CheckConditions(Rule rule, IReadOnlyList<TopicSubject> risky)
    {
        List<TopicSubject> open = [.. risky.Where(topic => !Leaves.Of(rule).Any(leaf => Narrows(leaf.Test, topic)))];
        if (open.Select(topic => bundle.FindMatching(topic, rule).Job).FirstOrDefault(job => job is not null) is { } witness)
        {
            findings.Warning(
                rule.Where,
                LintCodes.UnconditionalGrant,
                $"{rule.Id} grants every job of {open[0].Name}{(open.Count > 1 ? $" and of {open.Count - 1} more topics" : "")}, whose risk is high, whoever hands it in and whatever it holds; allowed: a grant with a condition.",
                "name principals or values of derived labels, or write REQUIRE_APPROVAL; if it is meant, say a lower 'risk' in topics.yaml.",
                witness
            );
        }
    }

    /// <summary>Whether some jobs of the topic fail the test. Every job gets to a later attempt, and a tag under 'always' is on each.</summary>
    private static bool Narrows(Predicate test, TopicSubject topic) =>
        test switch
        {
            HasTags tags => tags.Tags.Except(topic.JobClass.Tags, StringComparer.Ordinal).Any(),
            _ => Leaves.Slot(test) is not null,
        };

    private void CheckGrant(Rule rule, TopicSubject topic)
    {
        List<string> words = [.. Leaves.Of(rule).Select(leaf => Word(leaf.Test, topic)).OfType<string>().Distinct(StringComparer.Ordinal)];
        if (words.Count > 0 && bundle.FindMatching(topic, rule).Job is { } witness)
        {
            var grant = $"{rule.Id} grants on {topic.Name}, whose risk is high, by the producer's word: {string.Join(", ", words)}";
            if (!string.IsNullOrWhiteSpace(rule.TrustsProducer))
            {
                findings.Info(
                    rule.Where,
                    LintCodes.ProducersWord,
                    $"{grant}. Its author says why that is enough: {rule.TrustsProducer}",
                    "nothing, while that is true."
                );
                return;
            }

            findings.Warning(
                rule.Where,
                LintCodes.ProducersWord,
                $"{grant}; allowed: labels that are derived, principals, tags under 'always'.",
                "derive the label from the payload, name the principals, write REQUIRE_APPROVAL, or say under 'trusts_producer' why a false word gains nothing.",
                witness
            );
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
            { } slot => topic.Slots.LabelOf(slot) is { } label
            && (topic.Spec(label)?.Source ?? LabelSource.Producer) == LabelSource.Producer
                ? $"label {label}"
                : null,
        };
    }

    private void CheckRestriction(Rule rule)
    {
        if (rule.Decision == Verdict.Allow)
        {
            return;
        }

        foreach (var test in rule.Match.Parts.OfType<IsAnyOf>())
        {
            foreach (var topic in bundle.TopicsOf(rule))
            {
                if (IsAvoidable(topic, test) && WithoutIt(topic, rule, test) is { } witness)
                {
                    findings.Warning(
                        test.Where,
                        LintCodes.AvoidableRestriction,
                        $"{rule.Id} ({VerdictNames.Of(rule.Decision)}) does not hold for a job of {topic.Name} without {test.Name}, since topics.yaml says absent: no_match; allowed: a label whose absence restricts.",
                        "make the label required or remove 'absent: no_match' in topics.yaml.",
                        witness
                    );
                    break;
                }
            }
        }
    }

    private static bool IsAvoidable(TopicSubject topic, IsAnyOf test) =>
        topic.Slots.LabelOf(test.Slot) is { } label
        && topic.Spec(label) is { AbsentIsNoMatch: true, Required: false, Source: not LabelSource.Principal };

    /// <summary>A job that the rule would match, had it the label. Null: there is none, or the rule matches nothing anyway.</summary>
    private JobFacts? WithoutIt(TopicSubject topic, Rule rule, IsAnyOf test) =>
        bundle.FindCounting(topic, rule).Job is null
            ? null
            : bundle
                .Find(
                    topic,
                    [rule],
                    facts => facts.Value(test.Slot) is null && rule.Match.Parts.All(part => part == test || part.Test(facts) != Truth.False)
                )
                .Job;
}
