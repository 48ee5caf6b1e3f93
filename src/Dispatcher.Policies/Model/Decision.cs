using Dispatcher.Contracts;

namespace Dispatcher.Policies.Model;

/// <summary>A bundle's answer for one job at one time.</summary>
public sealed record Decision
{
    /// <summary>What may happen.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>The rules that decided, by id, sorted. Empty when the reason is a code that comes from no rule, such as <c>no_match</c>.</summary>
    public required IReadOnlyList<string> Rules { get; init; }

    /// <summary>Every rule that matched, by id, sorted: definitely, or possibly where it only restricts.</summary>
    public required IReadOnlyList<string> MatchedRules { get; init; }

    /// <summary>One of <see cref="ReasonCodes"/>, or the reasons of the deciding rules joined by <c>; </c>.</summary>
    public required string Reason { get; init; }

    /// <summary>More on a reason code, for people: <c>label env is missing; allowed: dev, prod</c>. Null: the reason says it all.</summary>
    public string? Detail { get; init; }

    /// <summary>The tightest of all matching rules' constraints. Null: none, or denied.</summary>
    public Constraints? Constraints { get; init; }

    /// <summary>Hash of the bundle, 64 lower-case hex digits; empty when no bundle was loaded.</summary>
    public required string PolicyHash { get; init; }

    /// <summary>
    /// SHA-256, 64 lower-case hex digits, of what the decision rests on: the content of all matching rules, the merged constraints, the approval requirement and the
    /// topic's registry entry. It stays the same when a rule that does not match changes. Empty when there was no bundle or evaluation failed.
    /// </summary>
    public required string BasisHash { get; init; }

    /// <summary>What must be approved. Not null exactly when the verdict is <see cref="Verdict.RequireApproval"/>.</summary>
    public ApprovalRequirement? Approval { get; init; }

    /// <summary>
    /// Why the payload does not fit the topic's schema, sorted by place: the first 20 that are found, and then one more that says so where there are more. Not empty
    /// exactly when the reason is <see cref="ReasonCodes.PayloadInvalid"/>.
    /// </summary>
    public IReadOnlyList<PayloadError> PayloadErrors { get; init; } = [];

    /// <summary>The topic's registry entry. Null: the topic is unknown, there was no bundle, or evaluation failed.</summary>
    public JobClass? JobClass { get; init; }

    /// <summary>A denial that comes from no rule.</summary>
    /// <param name="reasonCode">Why, for example <see cref="ReasonCodes.NoBundle"/>.</param>
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

/// <summary>The reasons of denials that come from no rule.</summary>
public static class ReasonCodes
{
    /// <summary>No bundle is in force.</summary>
    public const string NoBundle = "no_bundle";

    /// <summary>Evaluation itself failed.</summary>
    public const string EngineError = "engine_error";

    /// <summary>The topic is not in the registry.</summary>
    public const string UnknownTopic = "unknown_topic";

    /// <summary>No rule definitely grants the job.</summary>
    public const string NoMatch = "no_match";

    /// <summary>The payload does not fit the topic's schema.</summary>
    public const string PayloadInvalid = "payload_invalid";

    /// <summary>A required label is absent.</summary>
    public const string LabelMissing = "label_missing";

    /// <summary>A label's value is not in the registry's list.</summary>
    public const string LabelInvalid = "label_invalid";

    /// <summary>The producer's label contradicts what was derived.</summary>
    public const string LabelConflict = "label_conflict";

    /// <summary>The matching rules' constraints leave nothing that would be allowed.</summary>
    public const string ConstraintUnsatisfiable = "constraint_unsatisfiable";

    /// <summary>The topic's pool does not enforce one of the constraints.</summary>
    public const string NotEnforceable = "not_enforceable";
}
