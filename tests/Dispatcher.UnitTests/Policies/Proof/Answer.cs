using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>
/// The part of a decision that the specification determines: everything except hashes, texts for people and the registry entry.
/// </summary>
internal sealed record Answer
{
    public required Verdict Verdict { get; init; }

    public IReadOnlyList<string> Rules { get; init; } = [];

    public IReadOnlyList<string> MatchedRules { get; init; } = [];

    public required string Reason { get; init; }

    public Constraints? Constraints { get; init; }

    public ApprovalRequirement? Approval { get; init; }

    public static Answer Denied(string reasonCode) => new() { Verdict = Verdict.Deny, Reason = reasonCode };

    public static Answer Of(Decision decision) =>
        new()
        {
            Verdict = decision.Verdict,
            Rules = decision.Rules,
            MatchedRules = decision.MatchedRules,
            Reason = decision.Reason,
            Constraints = decision.Constraints,
            Approval = decision.Approval,
        };

    public override string ToString() => JsonSerializer.Serialize(this);
}
