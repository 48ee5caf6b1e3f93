using System.Collections.Frozen;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>A compiled rule.</summary>
internal sealed record Rule
{
    public required string Id { get; init; }

    /// <summary>The position of the rule in the order of ids.</summary>
    public int Number { get; init; }

    /// <summary>
    /// The keys with reported errors. With <c>topic</c> among them, the rule may be for any topic. Only lint uses a rule with any.
    /// </summary>
    public FrozenSet<string> Broken { get; init; } = [];

    /// <summary>False: the rule has an error, even one whose intended meaning is clear.</summary>
    public bool IsWhole { get; init; } = true;

    /// <summary>Whether the effect of the rule is certain.</summary>
    public bool IsCertain => !Broken.Overlaps(["match", "decision", "constraints", "approval", "effective"]);

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    /// <summary>The topics of the rule. Not part of <see cref="Match"/>, because it is resolved when the bundle is loaded.</summary>
    public required TopicPattern Topic { get; init; }

    /// <summary>All conditions except the topic.</summary>
    public required AllOf Match { get; init; }

    public required Verdict Decision { get; init; }

    public string? Reason { get; init; }

    public Constraints? Constraints { get; init; }

    /// <summary>Not null exactly when the decision is REQUIRE_APPROVAL.</summary>
    public ApprovalRequirement? Approval { get; init; }

    /// <summary>Start of the effect. Null: no start.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>End of the effect, exclusive. Null: no end.</summary>
    public DateTimeOffset? Until { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<string> Owners { get; init; } = [];

    /// <summary>The day by which the rule must be reviewed. Null: never.</summary>
    public DateOnly? ReviewBy { get; init; }

    /// <summary>The author declares that nothing may weaken the rule.</summary>
    public bool IsGuardrail { get; init; }

    /// <summary>Why the grant may rest on facts that the producer states. Null or empty: lint warns.</summary>
    public string? TrustsProducer { get; init; }

    /// <summary>SHA-256 of the whole content of the rule.</summary>
    public required byte[] ContentHash { get; init; }

    public bool IsInEffect(DateTimeOffset now) => (From is null || From <= now) && (Until is null || now < Until);
}
