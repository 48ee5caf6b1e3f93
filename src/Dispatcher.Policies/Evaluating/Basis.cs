using Dispatcher.Contracts;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>The hash of everything that a decision rests on, see <see cref="Decision.BasisHash"/>.</summary>
internal static class Basis
{
    public static string Hash(CompiledTopic? topic, IReadOnlyList<Rule> matched, Constraints? constraints, ApprovalRequirement? approval)
    {
        using CanonicalHash hash = new("dispatcher/basis/v2");
        hash.Add(topic?.ContentHash ?? []);
        hash.Add((long)matched.Count);
        foreach (var rule in matched)
        {
            hash.Add(rule.ContentHash);
        }

        hash.Add(constraints?.AllowedHosts);
        hash.Add(constraints?.AllowedCommands);
        hash.Add(constraints?.TimeoutMs);
        hash.Add(constraints?.MaxOutputBytes);
        AddTo(hash, approval);
        return hash.FinishHex();
    }

    private static void AddTo(CanonicalHash hash, ApprovalRequirement? approval)
    {
        hash.Add(approval?.DecideWithin.Ticks);
        hash.Add(approval?.UseWithin.Ticks);
        hash.Add(approval?.Exclude);
        hash.Add(approval?.Groups.Count);
        foreach (var group in approval?.Groups ?? [])
        {
            hash.Add(group.Group);
            hash.Add((long)group.Count);
        }

        // By name, because the order of an enum's members has no meaning.
        hash.Add(approval is null ? "" : ApprovalNames.Of(approval.Covers));
        hash.Add(approval is null ? "" : ApprovalNames.Of(approval.OnPolicyChange));
    }
}
