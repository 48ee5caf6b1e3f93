using Dispatcher.Contracts;
using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Testing;

/// <summary>One entry of <c>cases/*.yaml</c>: a job and the expected decision.</summary>
internal sealed record PolicyCase
{
    public required string Name { get; init; }

    /// <summary>File and line, for example <c>cases/prod.yaml:3</c>.</summary>
    public required string Where { get; init; }

    public required JobFacts Job { get; init; }

    /// <summary>The time of the decision. Null: now.</summary>
    public DateTimeOffset? At { get; init; }

    public required Expectation Expect { get; init; }
}

/// <summary>The expected decision. A null property is not compared.</summary>
internal sealed record Expectation
{
    public required Verdict Verdict { get; init; }

    /// <summary>The deciding rules, sorted.</summary>
    public IReadOnlyList<string>? Rules { get; init; }

    public string? Reason { get; init; }

    /// <summary>All merged constraints. Without any values: the decision must have none.</summary>
    public Constraints? Constraints { get; init; }

    public ApprovalRequirement? Approval { get; init; }
}
