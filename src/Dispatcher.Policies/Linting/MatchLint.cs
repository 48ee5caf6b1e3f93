using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>Finds rules that match no job, and names that the registry does not have.</summary>
internal sealed class MatchLint(LintedBundle bundle, FindingList findings)
{
    public void Run()
    {
        foreach (var rule in bundle.Rules)
        {
            CheckTopicsInside(rule);
            if (bundle.TopicsOf(rule).Count > 0)
            {
                CheckTests(rule);
            }
            else if (!bundle.FitsUnread(rule.Topic))
            {
                Report(findings.Error, rule.Where, rule.Topic);
            }
        }
    }

    private void CheckTopicsInside(Rule rule)
    {
        foreach (var test in Leaves.Of(rule).Select(leaf => leaf.Test).OfType<TopicFits>())
        {
            if (!bundle.FitsUnread(test.Pattern) && !bundle.Topics.Any(topic => test.Pattern.Fits(topic.Name)))
            {
                Report(findings.Warning, test.Where, test.Pattern);
            }
        }
    }

    private void Report(Action<string, string, string, string, JobFacts?> report, string where, TopicPattern topic)
    {
        List<string> known = [.. bundle.Topics.Select(registered => registered.Name)];
        var fix = NameList.Fix(topic.Text, known, "register the topic in topics.yaml, or correct the name.");
        if (topic.IsExact)
        {
            report(
                where,
                LintCodes.UnregisteredTopic,
                $"topic {topic.Text} is not in topics.yaml; allowed: {NameList.Some(known)}.",
                fix,
                null
            );
        }
        else
        {
            report(
                where,
                LintCodes.TopicFitsNothing,
                $"topic {topic.Text} matches no topic of topics.yaml; allowed: a pattern that matches one of {NameList.Some(known)}.",
                fix,
                null
            );
        }
    }

    private void CheckTests(Rule rule)
    {
        if (bundle.FitsUnread(rule.Topic))
        {
            return;
        }

        var matchesNothing = bundle.TopicsOf(rule).All(topic => bundle.FindCounting(topic, rule).IsProvenEmpty);
        var isExplained = false;
        foreach (var leaf in Leaves.Of(rule))
        {
            if (leaf.Test is IsAnyOf test && bundle.Content.Attributes.LabelOf(test.Attribute) is { } label)
            {
                isExplained |= CheckLabel(rule, test, label, matchesNothing && !leaf.IsInside && !test.Negated);
            }
            else if (leaf.Test is LabelExists exists)
            {
                CheckRegistered(rule, exists, exists.Label);
            }
            else if (leaf.Test is HasTags tags)
            {
                CheckTags(rule, tags);
            }
        }

        if (matchesNothing && !isExplained)
        {
            findings.Error(
                rule.Where,
                LintCodes.NeverMatches,
                $"{rule.Id} matches no job: the registry for {NameList.Some([.. bundle.TopicsOf(rule).Select(topic => topic.Name)])} "
                    + $"excludes: {rule.Match.Wanted}; allowed: a match that some job satisfies.",
                "correct the match, or remove the rule."
            );
        }
    }

    /// <summary>Returns whether the finding is an error that explains why the rule matches nothing.</summary>
    private bool CheckLabel(Rule rule, IsAnyOf test, string label, bool isFatal)
    {
        var topics = bundle.TopicsOf(rule);
        if (CheckRegistered(rule, test, label))
        {
            return false;
        }

        List<string> possible =
        [
            .. test.Values.Where(value => topics.Any(topic => topic.Allows(label, value) && topic.Gives(label, value))),
        ];
        isFatal &= possible.Count == 0;
        foreach (var value in test.Values.Except(possible, StringComparer.Ordinal))
        {
            bundle.Doubt(rule);
            var isListed = topics.Any(topic => topic.Allows(label, value));
            List<string> known =
            [
                .. topics
                    .Where(topic => !topic.IsUncertain(label))
                    .SelectMany(topic => isListed ? topic.Given(label) : topic.Spec(label)?.Values ?? [])
                    .Distinct(StringComparer.Ordinal),
            ];
            Action<string, string, string, string, JobFacts?> report = isFatal ? findings.Error : findings.Warning;
            report(
                test.Where,
                isListed ? LintCodes.ValueNeverDerived : LintCodes.UnknownValue,
                $"label {label} {(isListed ? "never gets the value" : "cannot be")} "
                    + $"'{value}'{(isFatal ? $", so {rule.Id} matches no job" : "")}; "
                    + $"allowed: {(known.Count == 0 ? "the values in topics.yaml" : NameList.Some(known))}.",
                isListed
                    ? "add a row for it to the label's table, or remove the value."
                    : NameList.Fix(value, known, "add it to the label's values in topics.yaml, or remove it."),
                null
            );
        }

        return isFatal;
    }

    /// <summary>Returns whether no topic registers the label, which is then reported.</summary>
    private bool CheckRegistered(Rule rule, Predicate test, string label)
    {
        var topics = bundle.TopicsOf(rule);
        if (topics.Any(topic => topic.Spec(label) is not null || topic.IsUncertain(label)))
        {
            return false;
        }

        List<string> known = [.. topics.SelectMany(topic => topic.JobClass.Labels.Keys).Distinct(StringComparer.Ordinal)];
        if (known.Count > 0)
        {
            // Topics without registered labels accept any label, so the name is hardly misspelt.
            bundle.Doubt(rule);
        }

        findings.Warning(
            test.Where,
            LintCodes.UnregisteredLabel,
            $"label {label} is not registered for {NameList.Some([.. topics.Select(topic => topic.Name)])}, so producers can give "
                + $"it any value; registered: {NameList.Some(known)}.",
            NameList.Fix(label, known, "register it in topics.yaml, or correct the name.")
        );
        return true;
    }

    private void CheckTags(Rule rule, HasTags test)
    {
        List<string> known =
        [
            .. bundle
                .TopicsOf(rule)
                .SelectMany(topic => topic.JobClass.Tags.Concat(topic.JobClass.OptionalTags))
                .Distinct(StringComparer.Ordinal),
        ];
        foreach (var tag in test.Tags.Except(known, StringComparer.Ordinal))
        {
            bundle.Doubt(rule);
            findings.Warning(
                test.Where,
                LintCodes.UnregisteredTag,
                $"risk tag {tag} is not listed under 'tags' of any topic of the rule, so its absence is always unknown; "
                    + $"registered: {NameList.Some(known)}.",
                NameList.Fix(tag, known, "add it to 'tags' in topics.yaml, or correct the name.")
            );
        }
    }
}
