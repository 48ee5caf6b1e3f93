using System.Globalization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Testing;

/// <summary>Compares a decision with the expectation of a case.</summary>
internal static class CaseComparison
{
    /// <summary>One line for each difference.</summary>
    public static IReadOnlyList<string> Differences(Expectation expected, Decision decided)
    {
        List<string> differences = [];
        Compare(differences, "verdict", VerdictNames.Of(expected.Verdict), VerdictNames.Of(decided.Verdict) + Why(decided));
        Compare(differences, "rules", Text(expected.Rules), Text(decided.Rules));
        Compare(differences, "reason", expected.Reason, decided.Reason);
        Compare(differences, "constraints", Text(expected.Constraints), Text(decided.Constraints ?? new Constraints()));
        Compare(differences, "approval", Text(expected.Approval), Text(decided.Approval));
        return differences;

        // Explains only an unexpected verdict.
        string Why(Decision decision) =>
            decision.Verdict == expected.Verdict ? "" : $" ({decision.Reason}{(decision.Detail is null ? "" : $": {decision.Detail}")})";
    }

    private static void Compare(List<string> differences, string what, string? expected, string? decided)
    {
        if (expected is not null && expected != decided)
        {
            differences.Add($"{what}: expected {expected}, is {decided ?? "none"}");
        }
    }

    private static string? Text(IReadOnlyList<string>? names) => names is null ? null : $"[{string.Join(", ", names)}]";

    private static string? Text(Constraints? constraints)
    {
        if (constraints is null)
        {
            return null;
        }

        IEnumerable<string> parts =
        [
            $"{ConstraintNames.AllowedCommands} {Text(constraints.AllowedCommands)}",
            $"{ConstraintNames.AllowedHosts} {Text(constraints.AllowedHosts)}",
            $"{ConstraintNames.MaxOutputBytes} {constraints.MaxOutputBytes?.ToString(CultureInfo.InvariantCulture)}",
            $"{ConstraintNames.TimeoutMs} {constraints.TimeoutMs?.ToString(CultureInfo.InvariantCulture)}",
        ];
        var text = string.Join(", ", parts.Where(part => !part.EndsWith(' ')));
        return text.Length == 0 ? "none" : text;
    }

    private static string? Text(ApprovalRequirement? approval)
    {
        if (approval is null)
        {
            return null;
        }

        var groups = approval.Groups.Select(group => FormattableString.Invariant($"{group.Group} {group.Count}"));
        return string.Create(
            CultureInfo.InvariantCulture,
            $"groups [{string.Join(", ", groups)}], exclude {Text(approval.Exclude)}, decide_within {approval.DecideWithin:c}, "
                + $"use_within {approval.UseWithin:c}, covers {ApprovalNames.Of(approval.Covers)}, "
                + $"on_policy_change {ApprovalNames.Of(approval.OnPolicyChange)}"
        );
    }
}
