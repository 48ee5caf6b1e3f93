using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>
/// Finds grants that every job gets or that rest on facts that the producer states, and restrictions that a producer avoids by omitting a
/// fact.
/// </summary>
internal sealed class ProducerTrustLint(LintedBundle bundle, FindingList findings)
{
    public void Run()
    {
        foreach (var rule in bundle.Live)
        {
            List<LintedTopic> risky =
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

    private void CheckConditions(Rule rule, IReadOnlyList<LintedTopic> risky)
    {
        List<LintedTopic> open = [.. risky.Where(topic => !Leaves.Of(rule).Any(leaf => Narrows(leaf.Test, topic)))];
        if (open.Select(topic => bundle.FindMatching(topic, rule).Job).FirstOrDefault(job => job is not null) is { } witness)
        {
            findings.Warning(
                rule.Where,
                LintCodes.UnconditionalGrant,
                $"{rule.Id} grants every job of {open[0].Name}{(open.Count > 1 ? $" and of {open.Count - 1} more topics" : "")}, "
                    + "whose risk is high, for any principal and any content; allowed: a grant with a condition.",
                "name principals or values of derived labels, or write REQUIRE_APPROVAL; "
                    + "if the grant is intended, set a lower 'risk' in topics.yaml.",
                witness
            );
        }
    }

    /// <summary>
    /// Whether some jobs of the topic fail the test. A test of attempts or of a tag under 'always' narrows nothing: every job reaches a
    /// later attempt, and every job has the tag.
    /// </summary>
    private static bool Narrows(Predicate test, LintedTopic topic) =>
        test switch
        {
            HasTags tags => tags.Tags.Except(topic.JobClass.Tags, StringComparer.Ordinal).Any(),
            _ => Leaves.Attribute(test) is not null,
        };

    private void CheckGrant(Rule rule, LintedTopic topic)
    {
        List<string> words = [.. Leaves.Of(rule).Select(leaf => Word(leaf.Test, topic)).OfType<string>().Distinct(StringComparer.Ordinal)];
        if (words.Count > 0 && bundle.FindMatching(topic, rule).Job is { } witness)
        {
            var grant =
                $"{rule.Id} grants on {topic.Name}, whose risk is high, based on what the producer states: {string.Join(", ", words)}";
            if (!string.IsNullOrWhiteSpace(rule.TrustsProducer))
            {
                findings.Info(
                    rule.Where,
                    LintCodes.ProducersWord,
                    $"{grant}. The rule states why that is enough: {rule.TrustsProducer}",
                    "no change is needed while this is true."
                );
                return;
            }

            findings.Warning(
                rule.Where,
                LintCodes.ProducersWord,
                $"{grant}; allowed: labels that are derived, principals, tags under 'always'.",
                "derive the label from the payload, name the principals, write REQUIRE_APPROVAL, or explain under "
                    + "'trusts_producer' why a false statement gains nothing.",
                witness
            );
        }
    }

    /// <summary>The tested fact, if the producer states it, in words. Null: the producer cannot choose it.</summary>
    private static string? Word(Predicate test, LintedTopic topic)
    {
        if (test is HasTags tags)
        {
            List<string> stated = [.. tags.Tags.Except(topic.JobClass.Tags, StringComparer.Ordinal)];
            return stated.Count == 0 ? null : $"risk tag {string.Join(", ", stated)}";
        }

        return Leaves.Attribute(test) switch
        {
            null or Attributes.Principal => null,
            Attributes.Workflow => "workflow_id",
            { } attribute => topic.Attributes.LabelOf(attribute) is { } label
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
                        $"{rule.Id} ({VerdictNames.Of(rule.Decision)}) does not apply to a job of {topic.Name} without "
                            + $"{test.Name}, because topics.yaml has absent: no_match; allowed: a label whose absence restricts.",
                        "make the label required or remove 'absent: no_match' in topics.yaml.",
                        witness
                    );
                    break;
                }
            }
        }
    }

    private static bool IsAvoidable(LintedTopic topic, IsAnyOf test) =>
        topic.Attributes.LabelOf(test.Attribute) is { } label
        && topic.Spec(label) is { AbsentIsNoMatch: true, Required: false, Source: not LabelSource.Principal };

    /// <summary>
    /// A job without the label that the rule would otherwise match. Null: none exists, or the rule matches nothing anyway.
    /// </summary>
    private JobFacts? WithoutIt(LintedTopic topic, Rule rule, IsAnyOf test) =>
        bundle.FindCounting(topic, rule).Job is null
            ? null
            : bundle
                .Find(
                    topic,
                    [rule],
                    facts =>
                        facts.Value(test.Attribute) is null && rule.Match.Parts.All(part => part == test || part.Test(facts) != Truth.False)
                )
                .Job;
}
