using Dispatcher.Contracts;

namespace Dispatcher.Policies.Model;

/// <summary>A bundle's answer for one job at one time.</summary>
public sealed record Decision
{
    /// <summary>The outcome for the job.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Ids of the deciding rules, sorted. Empty if no rule gave the reason, for example <c>no_match</c>.</summary>
    public required IReadOnlyList<string> Rules { get; init; }

    /// <summary>Ids of all rules that matched, sorted: definitely, or possibly if the rule only restricts.</summary>
    public required IReadOnlyList<string> MatchedRules { get; init; }

    /// <summary>One of <see cref="ReasonCodes"/>, or the reasons of the deciding rules joined by <c>; </c>.</summary>
    public required string Reason { get; init; }

    /// <summary>
    /// Details of a reason code, for people: <c>label env is missing; allowed: dev, prod</c>. Null: the reason is complete.
    /// </summary>
    public string? Detail { get; init; }

    /// <summary>The constraints of all matching rules, merged to the tightest. Null: none, or denied.</summary>
    public Constraints? Constraints { get; init; }

    /// <summary>Hash of the bundle, 64 lower-case hex digits; empty when no bundle was loaded.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>
    /// SHA-256, 64 lower-case hex digits, of everything that the decision rests on: the content of all matching rules, the merged
    /// constraints, the approval requirement and the topic's registry entry. A change of a rule that does not match leaves it unchanged.
    /// Empty if no bundle was loaded or evaluation failed.
    /// </summary>
    public required string BasisHash { get; init; }

    /// <summary>The required approval. Not null exactly when the verdict is <see cref="Verdict.RequireApproval"/>.</summary>
    public ApprovalRequirement? Approval { get; init; }

    /// <summary>
    /// Errors of the payload against the topic's schema, sorted by path: at most 20, and one more that reports a longer list. Not empty
    /// exactly when the reason is <see cref="ReasonCodes.PayloadInvalid"/>.
    /// </summary>
    public IReadOnlyList<PayloadError> PayloadErrors { get; init; } = [];

    /// <summary>The topic's registry entry. Null: the topic is unknown, no bundle was loaded, or evaluation failed.</summary>
    public JobClass? JobClass { get; init; }

    /// <summary>A denial that no rule gave.</summary>
    /// <param name="reasonCode">The reason, for example <see cref="ReasonCodes.NoBundle"/>.</param>
    /// <param name="policyHash">The bundle's hash, or empty.</param>
    public static Decision Denied(string reasonCode, string policyHash = "") =>
        new()
        {
            Verdict = Verdict.Deny,
            Rules = [],
            MatchedRules = [],
            Reason = reasonCode,
            PolicyHash = policyHash,
            BasisHash = "",
        };
}

/// <summary>The reasons of denials that no rule gave.</summary>
public static class ReasonCodes
{
    /// <summary>No bundle is active.</summary>
    public const string NoBundle = "no_bundle";

    /// <summary>Evaluation failed.</summary>
    public const string EngineError = "engine_error";

    /// <summary>The topic is not in the registry.</summary>
    public const string UnknownTopic = "unknown_topic";

    /// <summary>No rule definitely grants the job.</summary>
    public const string NoMatch = "no_match";

    /// <summary>The payload is not valid against the topic's schema.</summary>
    public const string PayloadInvalid = "payload_invalid";

    /// <summary>A required label is absent.</summary>
    public const string LabelMissing = "label_missing";

    /// <summary>A label's value is not in the registry's list.</summary>
    public const string LabelInvalid = "label_invalid";

    /// <summary>The label that the producer states differs from the derived value.</summary>
    public const string LabelConflict = "label_conflict";

    /// <summary>The merged constraints of the matching rules allow nothing.</summary>
    public const string ConstraintUnsatisfiable = "constraint_unsatisfiable";

    /// <summary>The topic's pool does not enforce one of the constraints.</summary>
    public const string NotEnforceable = "not_enforceable";
}
