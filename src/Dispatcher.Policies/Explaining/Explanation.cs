using System.Text.Json.Serialization;
using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Explaining;

/// <summary>A decision with all that led to it. For operators and policy authors: it shows rules that a producer need not know.</summary>
public sealed record Explanation
{
    /// <summary>The decision for the same job and time.</summary>
    public required Decision Decision { get; init; }

    /// <summary>The labels as the rules saw them: what is derived has its derived value.</summary>
    public required IReadOnlyDictionary<string, string> Labels { get; init; }

    /// <summary>The risk tags as the rules saw them: the producer's and the registry's. Sorted.</summary>
    public required IReadOnlyList<string> Tags { get; init; }

    /// <summary>Every rule of the bundle, by id. Empty when the registry denied the job before any rule was asked.</summary>
    public required IReadOnlyList<RuleAccount> Rules { get; init; }

    /// <summary>How the rules that matched became one decision, a sentence for each step.</summary>
    public required IReadOnlyList<string> Merge { get; init; }
}

/// <summary>How one rule took part.</summary>
public sealed record RuleAccount
{
    /// <summary>The rule's id.</summary>
    public required string Id { get; init; }

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    /// <summary>What the rule decides when it matches.</summary>
    public required Verdict Decision { get; init; }

    /// <summary>How it went.</summary>
    public required RuleOutcome Outcome { get; init; }

    /// <summary>The first condition that failed or was unknown: what it wants, for example <c>label env is prod</c>. Null: there is none.</summary>
    public string? Wanted { get; init; }

    /// <summary>What the job has instead, for example <c>label env is dev</c>. Null exactly when <see cref="Wanted"/> is.</summary>
    public string? Seen { get; init; }

    /// <summary>Where that condition stands. Null exactly when <see cref="Wanted"/> is.</summary>
    public string? WantedAt { get; init; }
}

/// <summary>How a rule took part in a decision.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RuleOutcome>))]
public enum RuleOutcome
{
    /// <summary>It matches.</summary>
    [JsonStringEnumMemberName("matched")]
    Matched,

    /// <summary>It may match, because something that it tests is not known; so it restricts, but does not grant.</summary>
    [JsonStringEnumMemberName("restricts")]
    Restricts,

    /// <summary>It may match, because something that it tests is not known; as an ALLOW it counts for nothing then.</summary>
    [JsonStringEnumMemberName("does_not_grant")]
    DoesNotGrant,

    /// <summary>It does not match.</summary>
    [JsonStringEnumMemberName("not_matched")]
    NotMatched,

    /// <summary>It is for other topics.</summary>
    [JsonStringEnumMemberName("other_topic")]
    OtherTopic,

    /// <summary>It is not in effect yet, or no longer.</summary>
    [JsonStringEnumMemberName("not_in_effect")]
    NotInEffect,
}
