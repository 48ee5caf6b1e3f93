using System.Globalization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Explaining;

/// <summary>Explains how a decision was made.</summary>
internal static class Explainer
{
    /// <summary>Decides a job and records how each rule took part.</summary>
    public static Explanation Of(Evaluator evaluator, JobFacts job, DateTimeOffset now)
    {
        var decision = evaluator.Decide(job, now);
        if (evaluator.TopicOf(job) is not { } topic)
        {
            return OfRefusal(decision, job.Labels, job.RiskTags);
        }

        Facts facts = new();
        var isRefused = evaluator.Check(topic, job, facts) is not null;
        IReadOnlyList<string> tags = [.. job.RiskTags.Union(topic.JobClass.Tags, StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        return isRefused
            ? OfRefusal(decision, facts.Labels(), tags)
            : new Explanation
            {
                Decision = decision,
                Labels = facts.Labels(),
                Tags = tags,
                Rules = [.. evaluator.Rules.Select(rule => Of(rule, facts, now))],
                Merge = OfMerge(
                    decision,
                    [.. evaluator.Rules.Where(rule => decision.MatchedRules.Contains(rule.Id, StringComparer.Ordinal))]
                ),
            };
    }

    /// <summary>The registry denied the job before any rule was evaluated.</summary>
    public static Explanation OfRefusal(Decision decision, IReadOnlyDictionary<string, string> labels, IReadOnlyList<string> tags) =>
        new()
        {
            Decision = decision,
            Labels = labels,
            Tags = tags,
            Rules = [],
            Merge = OfMerge(decision, []),
        };

    private static RuleExplanation Of(Rule rule, Facts facts, DateTimeOffset now)
    {
        RuleExplanation account = new()
        {
            Id = rule.Id,
            Where = rule.Where,
            Decision = rule.Decision,
            Outcome = RuleOutcome.OtherTopic,
        };
        if (!rule.Topic.Fits(facts.Topic))
        {
            return account with { Wanted = $"topic fits {rule.Topic.Text}", Seen = $"topic is {facts.Topic}", WantedAt = rule.Where };
        }

        if (!rule.IsInEffect(now))
        {
            return account with
            {
                Outcome = RuleOutcome.NotInEffect,
                Wanted = Period(rule),
                Seen = $"the time is {Text(now)}",
                WantedAt = rule.Where,
            };
        }

        var obstacle = rule.Match.Obstacle(facts);
        return account with
        {
            Outcome = OutcomeOf(rule, Evaluator.Test(rule, facts, now)),
            Wanted = obstacle?.Wanted,
            Seen = obstacle?.Seen(facts),
            WantedAt = obstacle?.Where,
        };
    }

    private static List<string> OfMerge(Decision decision, IReadOnlyList<Rule> matched)
    {
        List<string> steps = [];
        if (matched.Count > 0)
        {
            steps.Add(
                $"most restrictive of {string.Join(", ", matched.Select(rule => $"{rule.Id} ({VerdictNames.Of(rule.Decision)})"))}: "
                    + $"{VerdictNames.Of(matched.Max(rule => rule.Decision))}"
            );
        }

        AddMerge(steps, "allowed_commands", "common to all", matched, constraints => Text(constraints.AllowedCommands));
        AddMerge(steps, "allowed_hosts", "common to all", matched, constraints => Text(constraints.AllowedHosts));
        AddMerge(
            steps,
            "max_output_bytes",
            "the least",
            matched,
            constraints => constraints.MaxOutputBytes?.ToString(CultureInfo.InvariantCulture)
        );
        AddMerge(steps, "timeout_ms", "the least", matched, constraints => constraints.TimeoutMs?.ToString(CultureInfo.InvariantCulture));
        if (matched.Count(rule => rule.Approval is not null) > 1)
        {
            steps.Add(
                $"approval of {string.Join(", ", matched.Where(rule => rule.Approval is not null).Select(rule => rule.Id))}: all "
                    + "groups, the higher counts, all exclusions, the shorter times, covers retries if all do, on_policy_change "
                    + "invalidate if one does"
            );
        }

        steps.Add($"{VerdictNames.Of(decision.Verdict)}: {decision.Reason}{(decision.Detail is null ? "" : $" ({decision.Detail})")}");
        return steps;
    }

    private static void AddMerge(List<string> steps, string name, string how, IReadOnlyList<Rule> matched, Func<Constraints, string?> value)
    {
        List<string> stated =
        [
            .. matched
                .Where(rule => rule.Constraints is not null && value(rule.Constraints) is not null)
                .Select(rule => $"{value(rule.Constraints!)} ({rule.Id})"),
        ];
        if (stated.Count > 0)
        {
            steps.Add($"{name}: {how} of {string.Join(", ", stated)}");
        }
    }

    private static RuleOutcome OutcomeOf(Rule rule, Truth truth) =>
        truth switch
        {
            Truth.True => RuleOutcome.Matched,
            Truth.Unknown => Evaluator.Counts(rule, truth) ? RuleOutcome.Restricts : RuleOutcome.DoesNotGrant,
            Truth.False => RuleOutcome.NotMatched,
        };

    private static string Period(Rule rule)
    {
        var from = rule.From is { } start ? $" from {Text(start)}" : "";
        var until = rule.Until is { } end ? $" until {Text(end)}" : "";
        return $"in effect{from}{until}";
    }

    private static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFFF'Z'", CultureInfo.InvariantCulture);

    private static string? Text(IReadOnlyList<string>? set) => set is null ? null : $"[{string.Join(", ", set)}]";
}
