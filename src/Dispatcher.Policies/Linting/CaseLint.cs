using Dispatcher.Contracts;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Testing;

namespace Dispatcher.Policies.Linting;

/// <summary>Finds cases that cannot pass, because they name a topic or rule that does not exist.</summary>
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
        // A case may test that an unknown topic is denied.
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
                $"case '{test.Name}' expects {VerdictNames.Of(test.Expect.Verdict)} for topic {topic}, which is not in "
                    + "topics.yaml, so the job is denied; allowed: "
                    + $"{NameList.Some([.. bundle.Topics.Select(registered => registered.Name)])}.",
                NameList.Fix(topic, [.. bundle.Topics.Select(registered => registered.Name)], "register the topic, or expect DENY.")
            );
        }
    }

    private void CheckRules(PolicyCase test)
    {
        List<string> known = [.. bundle.Rules.Select(rule => rule.Id)];
        foreach (var rule in bundle.Content.UnreadRules.Count > 0 ? [] : (test.Expect.Rules ?? []).Except(known, StringComparer.Ordinal))
        {
            findings.Warning(
                test.Where,
                LintCodes.UnknownRule,
                $"case '{test.Name}' expects rule '{rule}', which does not exist in rules/; allowed: {NameList.Some(known)}.",
                NameList.Fix(rule, known, "correct the id, or remove it.")
            );
        }
    }
}
