using Dispatcher.Contracts;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Testing;

namespace Dispatcher.Policies.Linting;

/// <summary>Cases that can never pass, because they name what the bundle does not have.</summary>
internal sealed class CaseLint(LintedBundle bundle, IReadOnlyList<PolicyCase> cases, FindingList findings)
{
    public void Run()
    {
        foreach (var test in cases)
        {
            CheckTopic(test);
            CheckRules(test);
        }
    }

    private void CheckTopic(PolicyCase test)
    {
        // That an unknown topic is denied may well be what the case is for.
        var topic = test.Job.Topic;
        if (
            test.Expect.Verdict != Verdict.Deny
            && topic.Length > 0
            && !bundle.FitsUnread(new(topic))
            && !bundle.Topics.Any(registered => registered.Name == topic)
        )
        {
            findings.Warning(
                test.Where,
                LintCodes.UnregisteredTopic,
                $"case '{test.Name}' expects {VerdictNames.Of(test.Expect.Verdict)} for topic {topic}, which is not in topics.yaml, so that it is denied; allowed: {NameList.Some([.. bundle.Topics.Select(registered => registered.Name)])}.",
                NameList.Fix(topic, [.. bundle.Topics.Select(registered => registered.Name)], "register the topic, or expect DENY.")
            );
        }
    }

    private void CheckRules(PolicyCase test)
    {
        List<string> known = [.. bundle.Rules.Select(rule => rule.Id)];
        foreach (var rule in bundle.Content.LostRules.Count > 0 ? [] : (test.Expect.Rules ?? []).Except(known, StringComparer.Ordinal))
        {
            findings.Warning(
                test.Where,
                LintCodes.UnknownRule,
                $"case '{test.Name}' expects rule '{rule}', which is not in rules/; allowed: {NameList.Some(known)}.",
                NameList.Fix(rule, known, "correct the id, or remove it.")
            );
        }
    }
}
