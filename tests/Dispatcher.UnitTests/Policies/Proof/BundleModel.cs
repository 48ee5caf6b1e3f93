using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.UnitTests.Policies.Proof;

/// <summary>
/// A bundle as its author thinks of it, without files and syntax. <see cref="BundleYaml"/> writes it, <see cref="NaiveEvaluator"/> decides
/// with it.
/// </summary>
internal sealed record BundleModel
{
    /// <summary>The enforcers of each pool.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<string>> Pools { get; init; }

    public required IReadOnlyList<TopicModel> Topics { get; init; }

    public required IReadOnlyList<RuleModel> Rules { get; init; }
}

/// <summary>The registry entry of a topic.</summary>
internal sealed record TopicModel
{
    public required string Name { get; init; }

    public required string Pool { get; init; }

    public IReadOnlyList<string> AlwaysTags { get; init; } = [];

    public IReadOnlyList<string> OptionalTags { get; init; } = [];

    public IReadOnlyDictionary<string, LabelModel> Labels { get; init; } = new Dictionary<string, LabelModel>();
}

/// <summary>The registry entry of a label.</summary>
internal sealed record LabelModel
{
    public IReadOnlyList<string>? Values { get; init; }

    public bool Required { get; init; }

    public bool AbsentIsNoMatch { get; init; }

    public LabelSource Source { get; init; }

    /// <summary>The rows of the table, for a label that is derived from the command in the payload.</summary>
    public IReadOnlyList<RowModel> Table { get; init; } = [];

    public string? Default { get; init; }
}

/// <summary>One row of a derivation table.</summary>
internal sealed record RowModel(RowComparison Fit, IReadOnlyList<string> Elements, string Value);

/// <summary>A rule.</summary>
internal sealed record RuleModel
{
    public required string Id { get; init; }

    public required MatchModel Match { get; init; }

    public required Verdict Decision { get; init; }

    public string? Reason { get; init; }

    public Constraints? Constraints { get; init; }

    public ApprovalModel? Approval { get; init; }

    public DateTimeOffset? From { get; init; }

    public DateTimeOffset? Until { get; init; }
}

/// <summary>Conditions that must all hold. Null and empty: not tested.</summary>
internal sealed record MatchModel
{
    public string? Topic { get; init; }

    public IReadOnlyList<LabelTest> Labels { get; init; } = [];

    public TagTest? Tags { get; init; }

    public IReadOnlyList<string>? Principals { get; init; }

    public IReadOnlyList<string>? Workflows { get; init; }

    public int? AttemptAtLeast { get; init; }

    public MatchModel? Unless { get; init; }

    public bool IsEmpty =>
        this is { Topic: null, Labels.Count: 0, Tags: null, Principals: null, Workflows: null, AttemptAtLeast: null, Unless: null };

    /// <summary>This match and all nested ones.</summary>
    public IEnumerable<MatchModel> All => Unless is null ? [this] : [this, .. Unless.All];
}

/// <summary>
/// The test of one label. <see cref="Values"/> are only for <see cref="LabelTestKind.AnyOf"/> and <see cref="LabelTestKind.NoneOf"/>.
/// </summary>
internal sealed record LabelTest(string Name, LabelTestKind Kind, IReadOnlyList<string> Values);

/// <summary>How a label is tested.</summary>
internal enum LabelTestKind
{
    AnyOf,
    NoneOf,
    Exists,
    IsAbsent,
}

/// <summary>The test of the risk tags.</summary>
internal sealed record TagTest(TagTestKind Kind, IReadOnlyList<string> Tags);

/// <summary>How tags are tested.</summary>
internal enum TagTestKind
{
    All,
    Any,
    None,
}

/// <summary>An approval block. Null: the key is missing and has its default.</summary>
internal sealed record ApprovalModel
{
    public IReadOnlyDictionary<string, int> Groups { get; init; } = new Dictionary<string, int>();

    public IReadOnlyList<string>? Exclude { get; init; }

    public int? DecideWithinMinutes { get; init; }

    public int? UseWithinMinutes { get; init; }

    public ApprovalCover? Covers { get; init; }

    public OnPolicyChange? OnPolicyChange { get; init; }
}
