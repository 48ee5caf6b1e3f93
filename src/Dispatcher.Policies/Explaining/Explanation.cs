using System.Text.Json.Serialization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Explaining;

/// <summary>
/// A decision with everything that led to it. For operators and policy authors: it shows rules that producers need not know.
/// </summary>
public sealed record Explanation
{
    /// <summary>The decision for the same job and time.</summary>
    public required Decision Decision { get; init; }

    /// <summary>The labels as the rules saw them, with derived values.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The risk tags as the rules saw them: those of the producer and of the registry. Sorted.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>Every rule of the bundle, by id. Empty if the registry denied the job before the rules were evaluated.</summary>
    public required IReadOnlyList<RuleExplanation> Rules { get; init; }

    /// <summary>How the matching rules were merged into one decision, one sentence for each step.</summary>
    public required IReadOnlyList<string> Merge { get; init; }
}

/// <summary>The part of one rule in a decision.</summary>
public sealed record RuleExplanation
{
    /// <summary>The rule's id.</summary>
    public required string Id { get; init; }

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    /// <summary>The verdict of the rule if it matches.</summary>
    public required Verdict Decision { get; init; }

    /// <summary>The result of the rule.</summary>
    public required RuleOutcome Outcome { get; init; }

    /// <summary>The first condition that failed or was unknown, for example <c>label env is prod</c>. Null: there is none.</summary>
    public string? Wanted { get; init; }

    /// <summary>The job's value instead, for example <c>label env is dev</c>. Null exactly when <see cref="Wanted"/> is.</summary>
    public string? Seen { get; init; }

    /// <summary>File and line of that condition. Null exactly when <see cref="Wanted"/> is.</summary>
    public string? WantedAt { get; init; }
}

/// <summary>The result of a rule in a decision.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RuleOutcome>))]
public enum RuleOutcome
{
    /// <summary>The rule matches.</summary>
    [JsonStringEnumMemberName("matched")]
    Matched,

    /// <summary>The rule may match, because a tested fact is unknown. It restricts, but does not grant.</summary>
    [JsonStringEnumMemberName("restricts")]
    Restricts,

    /// <summary>The rule may match, because a tested fact is unknown. It is an ALLOW and therefore does not count.</summary>
    [JsonStringEnumMemberName("does_not_grant")]
    DoesNotGrant,

    /// <summary>The rule does not match.</summary>
    [JsonStringEnumMemberName("not_matched")]
    NotMatched,

    /// <summary>The rule is for other topics.</summary>
    [JsonStringEnumMemberName("other_topic")]
    OtherTopic,

    /// <summary>The rule is not in effect yet, or no longer.</summary>
    [JsonStringEnumMemberName("not_in_effect")]
    NotInEffect,
}
