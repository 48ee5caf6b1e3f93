using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>Merges approval requirements to the tightest.</summary>
internal static class ApprovalMerge
{
    /// <summary>The merged requirements of all rules. Null: no rule requires an approval.</summary>
    public static ApprovalRequirement? Of(IReadOnlyList<Rule> rules)
    {
        ApprovalRequirement? merged = null;
        foreach (var rule in rules)
        {
            merged =
                rule.Approval is null ? merged
                : merged is null ? rule.Approval
                : Merge(merged, rule.Approval);
        }

        return merged;
    }

    private static ApprovalRequirement Merge(ApprovalRequirement a, ApprovalRequirement b) =>
        new()
        {
            Groups =
            [
                .. a
                    .Groups.Concat(b.Groups)
                    .GroupBy(group => group.Group, StringComparer.Ordinal)
                    .OrderBy(same => same.Key, StringComparer.Ordinal)
                    .Select(same => new ApprovalGroup(same.Key, same.Max(group => group.Count))),
            ],
            Exclude = [.. a.Exclude.Union(b.Exclude, StringComparer.Ordinal).Order(StringComparer.Ordinal)],
            DecideWithin = a.DecideWithin < b.DecideWithin ? a.DecideWithin : b.DecideWithin,
            UseWithin = a.UseWithin < b.UseWithin ? a.UseWithin : b.UseWithin,
            Covers = a.Covers == ApprovalCover.Retries && b.Covers == ApprovalCover.Retries ? ApprovalCover.Retries : ApprovalCover.Attempt,
            OnPolicyChange = a.OnPolicyChange == OnPolicyChange.Invalidate ? a.OnPolicyChange : b.OnPolicyChange,
        };
}
