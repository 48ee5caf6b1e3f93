using Dispatcher.Contracts;
using Dispatcher.Policies.Schemas;

namespace Dispatcher.Policies.Evaluating;

/// <summary>A rule, ready to be tested.</summary>
internal sealed record Rule
{
    public required string Id { get; init; }

    /// <summary>Null: any topic. Not part of <see cref="Match"/>, because it is settled when the bundle is loaded.</summary>
    public TopicPattern? Topic { get; init; }

    public required Predicate Match { get; init; }

    public required Verdict Decision { get; init; }

    public string? Reason { get; init; }

    public Constraints? Constraints { get; init; }

    /// <summary>Not null exactly when the decision is REQUIRE_APPROVAL.</summary>
    public ApprovalRequirement? Approval { get; init; }

    /// <summary>In effect from then on. Null: always was.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>In effect before then. Null: without end.</summary>
    public DateTimeOffset? Until { get; init; }

    /// <summary>SHA-256 of everything that the rule says.</summary>
    public required byte[] ContentHash { get; init; }

    public bool IsInEffect(DateTimeOffset now) => (From is null || From <= now) && (Until is null || now < Until);
}

/// <summary>A topic with all that is needed to decide its jobs.</summary>
internal sealed record CompiledTopic
{
    public required JobClass JobClass { get; init; }

    public required Pool Pool { get; init; }

    /// <summary>The rules whose topic fits, sorted by id: so their order in files cannot matter.</summary>
    public required IReadOnlyList<Rule> Rules { get; init; }

    /// <summary>What payloads must fit. Null: they are not checked.</summary>
    public PayloadSchema? Schema { get; init; }

    /// <summary>SHA-256 of the registry entry.</summary>
    public required byte[] ContentHash { get; init; }
}
