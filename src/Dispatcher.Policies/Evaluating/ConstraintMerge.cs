using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>Merges constraints to the tightest, so that the result satisfies each contributor.</summary>
internal static class ConstraintMerge
{
    /// <summary>The merged constraints of all rules. Null: no rule has any.</summary>
    public static Constraints? Of(IReadOnlyList<Rule> rules)
    {
        Constraints? merged = null;
        foreach (var rule in rules)
        {
            merged =
                rule.Constraints is null ? merged
                : merged is null ? rule.Constraints
                : Merge(merged, rule.Constraints);
        }

        return merged;
    }

    /// <summary>The name of the first set that is empty. Null: all constraints can be satisfied.</summary>
    public static string? Unsatisfiable(Constraints constraints) =>
        constraints.AllowedCommands is { Count: 0 } ? ConstraintNames.AllowedCommands
        : constraints.AllowedHosts is { Count: 0 } ? ConstraintNames.AllowedHosts
        : null;

    /// <summary>The first constraint that the pool does not enforce. Null: the pool enforces all.</summary>
    public static string? NotEnforced(Constraints constraints, Pool pool) =>
        ConstraintNames.In(constraints).FirstOrDefault(name => !pool.Enforcers.Contains(name, StringComparer.Ordinal));

    private static Constraints Merge(Constraints a, Constraints b) =>
        new()
        {
            AllowedHosts =
                a.AllowedHosts is null ? b.AllowedHosts
                : b.AllowedHosts is null ? a.AllowedHosts
                : AllowedHosts.Intersect(a.AllowedHosts, b.AllowedHosts),
            AllowedCommands = Intersect(a.AllowedCommands, b.AllowedCommands),
            TimeoutMs = Least(a.TimeoutMs, b.TimeoutMs),
            MaxOutputBytes = Least(a.MaxOutputBytes, b.MaxOutputBytes),
        };

    private static IReadOnlyList<string>? Intersect(IReadOnlyList<string>? a, IReadOnlyList<string>? b) =>
        a is null ? b
        : b is null ? a
        : [.. a.Intersect(b, StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    private static long? Least(long? a, long? b) =>
        a is null ? b
        : b is null ? a
        : Math.Min(a.Value, b.Value);
}
