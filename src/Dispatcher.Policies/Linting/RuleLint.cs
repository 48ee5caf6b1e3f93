using System.Globalization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>Finds problems in a single rule: dates, weak guardrails, broad grants, missing reasons.</summary>
internal sealed class RuleLint(LintedBundle bundle, FindingList findings)
{
    private const int ReviewSoonDays = 30;

    public void Run()
    {
        foreach (var rule in bundle.Rules)
        {
            CheckDates(rule);
            CheckGuardrail(rule);
            CheckBreadth(rule);
            CheckReason(rule);
        }
    }

    private void CheckDates(Rule rule)
    {
        if (bundle.IsExpired(rule))
        {
            findings.Warning(
                rule.Where,
                LintCodes.Expired,
                $"{rule.Id} expired at {Text(rule.Until!.Value)}; allowed: an end in the future.",
                "remove the rule, or set a later 'effective.until'."
            );
        }

        var today = DateOnly.FromDateTime(bundle.Now.UtcDateTime);
        if (rule.ReviewBy < today)
        {
            findings.Warning(
                rule.Where,
                LintCodes.ReviewOverdue,
                $"{rule.Id} had to be reviewed by {Text(rule.ReviewBy.Value)}; allowed: a day in the future.",
                "review the rule and set the next date."
            );
        }
        else if (rule.ReviewBy is { } review && review.DayNumber - today.DayNumber <= ReviewSoonDays)
        {
            findings.Info(
                rule.Where,
                LintCodes.ReviewSoon,
                $"{rule.Id} must be reviewed by {Text(review)}.",
                "review the rule and set the next date."
            );
        }
    }

    private void CheckGuardrail(Rule rule)
    {
        if (!rule.IsGuardrail)
        {
            return;
        }

        WarnIf(
            rule.Decision == Verdict.Allow,
            "it is an ALLOW, which restricts no job",
            "write the restriction as a DENY or REQUIRE_APPROVAL, or remove 'guardrail'."
        );
        WarnIf(
            rule.Match.Parts.OfType<Unless>().Any(part => part.Inner is AllOf),
            "it has an 'unless', which makes exceptions",
            "remove 'unless' or 'guardrail'."
        );
        WarnIf(rule.Until is not null, "it ends by 'effective.until'", "remove the end or 'guardrail'.");

        void WarnIf(bool isWeak, string why, string fix)
        {
            if (isWeak)
            {
                findings.Warning(
                    rule.Where,
                    LintCodes.WeakGuardrail,
                    $"{rule.Id} is a guardrail, but {why}; allowed: a restriction that always holds.",
                    fix
                );
            }
        }
    }

    private void CheckBreadth(Rule rule)
    {
        var isBroad = rule.Topic.Text.EndsWith(TopicPattern.Any, StringComparison.Ordinal) && rule.Topic.Text.AsSpan().Count('.') <= 1;
        if (isBroad && !rule.Broken.Contains("topic") && rule.Decision <= Verdict.AllowWithConstraints)
        {
            findings.Warning(
                rule.Where,
                LintCodes.BroadGrant,
                $"{rule.Id} grants for topic {rule.Topic.Text}, which includes every topic that is added later; "
                    + "allowed: topic names, or patterns with a longer beginning.",
                "name the intended topics."
            );
        }
    }

    private void CheckReason(Rule rule)
    {
        if (
            rule.Reason is null
            && rule.Decision >= Verdict.RequireApproval
            && !rule.Broken.Contains("reason")
            && !rule.Broken.Contains("decision")
        )
        {
            findings.Info(
                rule.Where,
                LintCodes.NoReason,
                $"{rule.Id} is a {VerdictNames.Of(rule.Decision)} without 'reason', so producers see only its id.",
                "add 'reason'."
            );
        }
    }

    private static string Text(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
