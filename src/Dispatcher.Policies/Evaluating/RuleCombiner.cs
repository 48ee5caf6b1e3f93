using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Combines the rules that matched into one decision. The most restrictive verdict applies, but without a definite grant the decision is
/// DENY. Constraints and approvals merge to the tightest, and a result that cannot be satisfied is DENY.
/// </summary>
internal sealed class RuleCombiner(CompiledTopic topic, IReadOnlyList<Rule> matched, string policyHash)
{
    public Decision Decide(bool isGranted)
    {
        var verdict = matched.Count == 0 ? Verdict.Allow : matched.Max(rule => rule.Decision);
        if (verdict == Verdict.Deny)
        {
            return Decided(verdict, null, null);
        }

        return isGranted
            ? Limit(verdict)
            : Denied(
                ReasonCodes.NoMatch,
                [],
                "no rule definitely grants this job; \"dispatcher jobs explain\" with its id shows which condition of each rule failed"
            );
    }

    /// <summary>A denial by the evaluation itself, not by a DENY rule.</summary>
    public Decision Denied(string code, IEnumerable<Rule> deciding, string detail) =>
        Decision.Denied(code, policyHash) with
        {
            Rules = Ids(deciding),
            MatchedRules = Ids(matched),
            Detail = detail,
            BasisHash = Basis.Hash(topic, matched, null, null),
            JobClass = topic.JobClass,
        };

    private Decision Limit(Verdict verdict)
    {
        var constraints = ConstraintMerge.Of(matched);
        if (constraints is not null && ConstraintMerge.Unsatisfiable(constraints) is { } empty)
        {
            return Denied(ReasonCodes.ConstraintUnsatisfiable, Contributors(), $"the rules' {empty} have nothing in common");
        }

        if (constraints is not null && ConstraintMerge.NotEnforced(constraints, topic.Pool) is { } unenforced)
        {
            return Denied(ReasonCodes.NotEnforceable, Contributors(), $"pool {topic.Pool.Name} does not enforce {unenforced}");
        }

        return Decided(verdict, constraints, ApprovalMerge.Of(matched));
    }

    private IEnumerable<Rule> Contributors() => matched.Where(rule => rule.Constraints is not null);

    private Decision Decided(Verdict verdict, Constraints? constraints, ApprovalRequirement? approval)
    {
        List<Rule> deciding = [.. matched.Where(rule => rule.Decision == verdict)];
        var reasons = string.Join("; ", deciding.Select(rule => rule.Reason).OfType<string>().Distinct(StringComparer.Ordinal));
        return new Decision
        {
            Verdict = verdict,
            Rules = Ids(deciding),
            MatchedRules = Ids(matched),
            Reason = reasons.Length > 0 ? reasons : $"{Verb(verdict)} by {string.Join(", ", Ids(deciding))}",
            Constraints = constraints,
            PolicyHash = policyHash,
            BasisHash = Basis.Hash(topic, matched, constraints, approval),
            Approval = approval,
            JobClass = topic.JobClass,
        };
    }

    private static string Verb(Verdict verdict) =>
        verdict switch
        {
            Verdict.Allow or Verdict.AllowWithConstraints => "allowed",
            Verdict.RequireApproval => "approval required",
            Verdict.Deny => "denied",
        };

    private static IReadOnlyList<string> Ids(IEnumerable<Rule> rules) => [.. rules.Select(rule => rule.Id)];
}
