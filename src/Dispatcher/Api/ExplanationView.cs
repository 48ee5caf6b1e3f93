using Dispatcher.Contracts;
using Dispatcher.Policies.Explaining;
using Dispatcher.Policies.Model;

namespace Dispatcher.Api;

/// <summary>A decision, and how the rules led to it.</summary>
internal sealed record ExplanationView
{
    public required Verdict Verdict { get; init; }
    public required IReadOnlyList<string> Rules { get; init; }
    public required IReadOnlyList<string> MatchedRules { get; init; }
    public required string Reason { get; init; }
    public string? Detail { get; init; }
    public Constraints? Constraints { get; init; }
    public ApprovalRequirement? Approval { get; init; }
    public required string PolicyHash { get; init; }
    public required string BasisHash { get; init; }
    public required IReadOnlyList<PayloadError> PayloadErrors { get; init; }

    /// <summary>The labels that the rules read.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The risk tags that the rules read.</summary>
    public required IReadOnlyList<string> RiskTags { get; init; }

    /// <summary>Every rule of the bundle, by id.</summary>
    public required IReadOnlyList<RuleExplanation> Considered { get; init; }

    public required IReadOnlyList<string> Merge { get; init; }

    public static ExplanationView Of(Explanation explanation)
    {
        var decision = explanation.Decision;
        return new()
        {
            Verdict = decision.Verdict,
            Rules = decision.Rules,
            MatchedRules = decision.MatchedRules,
            Reason = decision.Reason,
            Detail = decision.Detail,
            Constraints = decision.Constraints,
            Approval = decision.Approval,
            PolicyHash = decision.PolicyHash,
            BasisHash = decision.BasisHash,
            PayloadErrors = decision.PayloadErrors,
            Labels = explanation.Labels,
            RiskTags = explanation.Tags,
            Considered = explanation.Rules,
            Merge = explanation.Merge,
        };
    }
}
