using System.Collections.Frozen;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Evaluating;

/// <summary>A rule, ready to be tested.</summary>
internal sealed record Rule
{
    public required string Id { get; init; }

    /// <summary>Its place among all rules in the order of ids.</summary>
    public int Number { get; init; }

    /// <summary>The keys of which something is wrong, and reported; <c>topic</c> among them: it may be for any topic. Only lint ever sees a rule with any.</summary>
    public FrozenSet<string> Broken { get; init; } = [];

    /// <summary>False: something in it is wrong, if only a word whose meaning is plain.</summary>
    public bool IsWhole { get; init; } = true;

    /// <summary>Whether it is certain what the rule does.</summary>
    public bool IsCertain => !Broken.Overlaps(["match", "decision", "constraints", "approval", "effective"]);

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    /// <summary>Not part of <see cref="Match"/>, because it is settled when the bundle is loaded.</summary>
    public required TopicPattern Topic { get; init; }

    /// <summary>All conditions but the topic.</summary>
    public required AllOf Match { get; init; }

    public required Verdict Decision { get; init; }

    public string? Reason { get; init; }

    public Constraints? Constraints { get; init; }

    /// <summary>Not null exactly when the decision is REQUIRE_APPROVAL.</summary>
    public ApprovalRequirement? Approval { get; init; }

    /// <summary>In effect from then on. Null: always was.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>In effect before then. Null: without end.</summary>
    public DateTimeOffset? Until { get; init; }

    public string? Description { get; init; }

    public IReadOnlyList<string> Owners { get; init; } = [];

    /// <summary>When somebody must look at it again. Null: never.</summary>
    public DateOnly? ReviewBy { get; init; }

    /// <summary>Its author means that nothing may ever weaken it.</summary>
    public bool IsGuardrail { get; init; }

    /// <summary>Why its grant may rest on what the producer says. Null or empty: lint warns of that.</summary>
    public string? TrustsProducer { get; init; }

    /// <summary>SHA-256 of everything that the rule says.</summary>
    public required byte[] ContentHash { get; init; }

    public bool IsInEffect(DateTimeOffset now) => (From is null || From <= now) && (Until is null || now < Until);
}
