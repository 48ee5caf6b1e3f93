using Dispatcher.Contracts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>
/// Decides one job: (1) the registry checks and derives the labels; (2) every rule is tested; (3) the most restrictive verdict of all that match holds, but without a
/// definite grant it is DENY; (4) constraints and approvals merge to the tightest, and what cannot be kept is DENY.
/// </summary>
internal sealed class Evaluation(CompiledTopic topic, string policyHash)
{
    private readonly List<Rule> _matched = [];
    private bool _isGranted;

    public Decision Decide(JobFacts job, DateTimeOffset now)
    {
        // :: Step 1
        Dictionary<string, string> labels = new(job.Labels.Where(label => label.Value is not null), StringComparer.Ordinal);
        if (LabelCheck.Apply(topic.JobClass, job, labels) is { } fault)
        {
            return Denied(fault.Code, [], fault.Detail);
        }

        TestRules(new Facts(job, topic.JobClass, labels), now);

        return Combine();
    }

    // :: Step 2
    private void TestRules(Facts facts, DateTimeOffset now)
    {
        foreach (Rule rule in topic.Rules)
        {
            Truth truth = rule.IsInEffect(now) ? rule.Match.Test(facts) : Truth.False;

            // Silence never helps: what is only possibly true restricts, but never grants.
            if (truth == Truth.True || (truth == Truth.Unknown && rule.Decision != Verdict.Allow))
            {
                _matched.Add(rule);
                _isGranted |= truth == Truth.True && rule.Decision != Verdict.Deny;
            }
        }
    }

    // :: Step 3
    private Decision Combine()
    {
        Verdict verdict = Verdict.Allow;
        foreach (Rule rule in _matched)
        {
            verdict = rule.Decision > verdict ? rule.Decision : verdict;
        }

        if (verdict == Verdict.Deny)
        {
            return Decided(verdict, null, null);
        }

        return _isGranted ? Limit(verdict) : Denied(ReasonCodes.NoMatch, [], "no rule definitely grants this job");
    }

    // :: Step 4
    private Decision Limit(Verdict verdict)
    {
        Constraints? constraints = ConstraintMerge.Of(_matched);
        if (constraints is not null && ConstraintMerge.Unsatisfiable(constraints) is { } empty)
        {
            return Denied(ReasonCodes.ConstraintUnsatisfiable, Contributors(), $"the rules' {empty} have nothing in common");
        }

        if (constraints is not null && ConstraintMerge.NotEnforced(constraints, topic.Pool) is { } unenforced)
        {
            return Denied(ReasonCodes.NotEnforceable, Contributors(), $"pool {topic.Pool.Name} does not enforce {unenforced}");
        }

        return Decided(verdict, constraints, ApprovalMerge.Of(_matched));
    }

    private List<Rule> Contributors() => _matched.FindAll(rule => rule.Constraints is not null);

    private Decision Decided(Verdict verdict, Constraints? constraints, ApprovalRequirement? approval)
    {
        List<Rule> deciding = _matched.FindAll(rule => rule.Decision == verdict);
        string reasons = string.Join("; ", deciding.Select(rule => rule.Reason).OfType<string>().Distinct(StringComparer.Ordinal));
        return new Decision
        {
            Verdict = verdict,
            Rules = Ids(deciding),
            MatchedRules = Ids(_matched),
            Reason = reasons.Length > 0 ? reasons : $"{Verb(verdict)} by {string.Join(", ", Ids(deciding))}",
            Constraints = constraints,
            PolicyHash = policyHash,
            BasisHash = Basis.Hash(topic, _matched, constraints, approval),
            Approval = approval,
            JobClass = topic.JobClass,
        };
    }

    private Decision Denied(string code, IReadOnlyList<Rule> deciding, string detail) => Decision.Denied(code, policyHash) with
    {
        Rules = Ids(deciding),
        MatchedRules = Ids(_matched),
        Detail = detail,
        BasisHash = Basis.Hash(topic, _matched, null, null),
        JobClass = topic.JobClass,
    };

    private static string Verb(Verdict verdict) => verdict switch
    {
        Verdict.Allow or Verdict.AllowWithConstraints => "allowed",
        Verdict.RequireApproval => "approval required",
        Verdict.Deny => "denied",
    };

    private static IReadOnlyList<string> Ids(IReadOnlyList<Rule> rules) => [.. rules.Select(rule => rule.Id)];
}
