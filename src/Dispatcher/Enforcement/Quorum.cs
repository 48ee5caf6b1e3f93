using Dispatcher.Jobs;
using Dispatcher.Policies.Model;

namespace Dispatcher.Enforcement;

/// <summary>Counts votes. Pure.</summary>
internal static class Quorum
{
    /// <summary>
    /// Whether the approvers satisfy the requirement: each named group has its number of persons, or, without named groups, one person
    /// approved. A person counts in each of their groups.
    /// </summary>
    public static bool IsEnough(ApprovalRequirement requirement, IReadOnlyCollection<Voter> approvers) =>
        requirement.Groups.Count == 0
            ? approvers.Count > 0
            : requirement.Groups.All(group => approvers.Count(voter => voter.Groups.Contains(group.Group)) >= group.Count);

    /// <summary>Whether the vote of a person with these groups counts towards the quorum.</summary>
    public static bool Counts(ApprovalRequirement requirement, IReadOnlyCollection<string> groups) =>
        requirement.Groups.Count == 0 || requirement.Groups.Any(group => groups.Contains(group.Group));

    /// <summary>The missing votes in words, for example <c>1 of sre</c>. Empty: the quorum is complete.</summary>
    public static string Missing(ApprovalRequirement requirement, IReadOnlyCollection<Voter> approvers)
    {
        if (requirement.Groups.Count == 0)
        {
            return approvers.Count > 0 ? "" : "1 approver";
        }

        var missing = requirement
            .Groups.Select(group => (group.Group, Count: group.Count - approvers.Count(voter => voter.Groups.Contains(group.Group))))
            .Where(group => group.Count > 0);
        return string.Join(", ", missing.Select(group => $"{group.Count} of {group.Group}"));
    }

    /// <summary>The missing votes of an approval in words. Empty: none, or it is no longer held.</summary>
    public static string MissingOf(Approval approval) =>
        approval.State == ApprovalStates.Held ? Missing(approval.Requirement, Approvers(approval.Votes)) : "";

    public static IReadOnlyList<Voter> Approvers(IEnumerable<Vote> votes) =>
        [.. votes.Where(vote => vote.Verdict == Vote.Approve).Select(vote => new Voter(vote.Person, vote.Groups))];
}

/// <summary>A person whose vote counts, and the groups in which it counts.</summary>
internal sealed record Voter(string Person, IReadOnlyCollection<string> Groups);
