using System.Globalization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Explaining;

/// <summary>How the second of two decisions for one job differs from the first.</summary>
public sealed record DecisionChange
{
    /// <summary>
    /// Permissions that only the second decision gives, in words: <c>DENY to ALLOW</c>, <c>timeout_ms 15000 to 30000</c>.
    /// </summary>
    public required IReadOnlyList<string> Widened { get; init; }

    /// <summary>Permissions that only the first decision gives.</summary>
    public required IReadOnlyList<string> Narrowed { get; init; }

    /// <summary>Neither wider nor narrower; the matching rules may differ.</summary>
    public bool IsNone => Widened.Count == 0 && Narrowed.Count == 0;

    /// <summary>Compares verdicts, constraints and required approvals. Two denials are equal, regardless of their reasons.</summary>
    public static DecisionChange Between(Decision before, Decision after)
    {
        Comparison changes = new();
        changes.Compare("", before.Verdict, after.Verdict, (int)after.Verdict - (int)before.Verdict, VerdictNames.Of);
        if (before.Verdict != Verdict.Deny && after.Verdict != Verdict.Deny)
        {
            changes.OfConstraints(before.Constraints ?? new Constraints(), after.Constraints ?? new Constraints());
        }

        if (before.Approval is not null && after.Approval is not null)
        {
            changes.OfApprovals(before.Approval, after.Approval);
        }

        return new DecisionChange { Widened = changes.Widened, Narrowed = changes.Narrowed };
    }

    private sealed class Comparison
    {
        public List<string> Widened { get; } = [];

        public List<string> Narrowed { get; } = [];

        public void OfConstraints(Constraints before, Constraints after)
        {
            OfAllowed(
                ConstraintNames.AllowedCommands,
                before.AllowedCommands,
                after.AllowedCommands,
                (commands, command) => commands.Contains(command, StringComparer.Ordinal)
            );
            OfAllowed(ConstraintNames.AllowedHosts, before.AllowedHosts, after.AllowedHosts, AllowedHosts.Covers);
            OfLimit(ConstraintNames.MaxOutputBytes, before.MaxOutputBytes, after.MaxOutputBytes);
            OfLimit(ConstraintNames.TimeoutMs, before.TimeoutMs, after.TimeoutMs);
        }

        public void OfApprovals(ApprovalRequirement before, ApprovalRequirement after)
        {
            foreach (var group in before.Groups.Concat(after.Groups).Select(group => group.Group).Distinct(StringComparer.Ordinal))
            {
                var was = Count(before, group);
                var now = Count(after, group);
                Compare($"approvals of {group} ", was, now, now - was, count => count.ToString(CultureInfo.InvariantCulture));
            }

            Say(Narrowed, "excluded from approving: ", after.Exclude.Except(before.Exclude, StringComparer.Ordinal));
            Say(Widened, "no longer excluded from approving: ", before.Exclude.Except(after.Exclude, StringComparer.Ordinal));
            OfTime("decide_within ", before.DecideWithin, after.DecideWithin);
            OfTime("use_within ", before.UseWithin, after.UseWithin);
            Compare("covers ", before.Covers, after.Covers, (int)before.Covers - (int)after.Covers, ApprovalNames.Of);
            Compare(
                "on_policy_change ",
                before.OnPolicyChange,
                after.OnPolicyChange,
                (int)after.OnPolicyChange - (int)before.OnPolicyChange,
                ApprovalNames.Of
            );
        }

        /// <param name="name">The changed setting, followed by a space, or empty.</param>
        /// <param name="before">The value in the first decision.</param>
        /// <param name="after">The value in the second decision.</param>
        /// <param name="stricter">Greater than zero: the second value is stricter.</param>
        /// <param name="text">Converts a value to words.</param>
        public void Compare<T>(string name, T before, T after, double stricter, Func<T, string> text)
        {
            if (stricter != 0)
            {
                (stricter > 0 ? Narrowed : Widened).Add($"{name}{text(before)} to {text(after)}");
            }
        }

        private void OfTime(string name, TimeSpan before, TimeSpan after) =>
            Compare(name, before, after, before.Ticks - after.Ticks, time => time.ToString("c", CultureInfo.InvariantCulture));

        private void OfLimit(string name, long? before, long? after) =>
            Compare(
                name + " ",
                before,
                after,
                (before ?? double.PositiveInfinity).CompareTo(after ?? double.PositiveInfinity),
                limit => limit?.ToString(CultureInfo.InvariantCulture) ?? "unlimited"
            );

        private void OfAllowed(
            string name,
            IReadOnlyList<string>? before,
            IReadOnlyList<string>? after,
            Func<IReadOnlyList<string>, string, bool> covers
        )
        {
            if (before is null || after is null)
            {
                Compare(
                    name + " ",
                    before,
                    after,
                    (after is null ? 0 : 1) - (before is null ? 0 : 1),
                    set => set is null ? "unlimited" : $"[{string.Join(", ", set)}]"
                );
                return;
            }

            Say(Widened, name + " also ", after.Where(item => !covers(before, item)));
            Say(Narrowed, name + " no longer ", before.Where(item => !covers(after, item)));
        }

        private static void Say(List<string> where, string what, IEnumerable<string> items)
        {
            var list = string.Join(", ", items);
            if (list.Length > 0)
            {
                where.Add(what + list);
            }
        }

        private static int Count(ApprovalRequirement approval, string group) =>
            approval.Groups.FirstOrDefault(wanted => wanted.Group == group)?.Count ?? 0;
    }
}
