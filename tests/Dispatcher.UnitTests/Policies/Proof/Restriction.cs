using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>The order of decisions by how much they allow.</summary>
internal static class Restriction
{
    public static Relation Compare(Decision one, Decision other) =>
        (IsNoWider(one, other), IsNoWider(other, one)) switch
        {
            (true, true) => Relation.Same,
            (true, false) => Relation.Narrower,
            (false, true) => Relation.Wider,
            (false, false) => Relation.Incomparable,
        };

    private static bool IsNoWider(Decision narrow, Decision wide) =>
        narrow.Verdict == Verdict.Deny
        || (narrow.Verdict >= wide.Verdict && IsNoWider(narrow.Constraints, wide.Constraints) && IsNoWider(narrow.Approval, wide.Approval));

    private static bool IsNoWider(Constraints? narrow, Constraints? wide) =>
        IsSubset(narrow?.AllowedHosts, wide?.AllowedHosts)
        && IsSubset(narrow?.AllowedCommands, wide?.AllowedCommands)
        && IsAtMost(narrow?.TimeoutMs, wide?.TimeoutMs)
        && IsAtMost(narrow?.MaxOutputBytes, wide?.MaxOutputBytes);

    private static bool IsNoWider(ApprovalRequirement? narrow, ApprovalRequirement? wide) =>
        wide is null
        || (
            narrow is not null
            && wide.Groups.All(asked => narrow.Groups.Any(group => group.Group == asked.Group && group.Count >= asked.Count))
            && wide.Exclude.All(narrow.Exclude.Contains)
            && narrow.DecideWithin <= wide.DecideWithin
            && narrow.UseWithin <= wide.UseWithin
            && (narrow.Covers == ApprovalCover.Attempt || wide.Covers == ApprovalCover.Retries)
            && (narrow.OnPolicyChange == OnPolicyChange.Invalidate || wide.OnPolicyChange == OnPolicyChange.SameBasis)
        );

    private static bool IsSubset(IReadOnlyList<string>? narrow, IReadOnlyList<string>? wide) =>
        wide is null || narrow?.All(wide.Contains) == true;

    private static bool IsAtMost(long? narrow, long? wide) => wide is null || narrow <= wide;
}

/// <summary>The relation of one decision to another.</summary>
internal enum Relation
{
    Same,
    Narrower,
    Wider,
    Incomparable,
}
