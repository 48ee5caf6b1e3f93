using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Testing;

/// <summary>The result of running a bundle's cases.</summary>
public sealed record PolicyTestReport
{
    /// <summary>The errors of the files. Not empty: no case ran.</summary>
    public required IReadOnlyList<BundleError> Errors { get; init; }

    /// <summary>Every case, in the order of the files.</summary>
    public required IReadOnlyList<CaseResult> Cases { get; init; }

    /// <summary>Every rule, by id.</summary>
    public required IReadOnlyList<RuleCoverage> Rules { get; init; }

    /// <summary>The files have no errors, and every case has the expected decision.</summary>
    public bool Passed => Errors.Count == 0 && Cases.All(test => test.Passed);
}

/// <summary>The result of one case.</summary>
public sealed record CaseResult
{
    /// <summary>The case's name.</summary>
    public required string Name { get; init; }

    /// <summary>File and line, for example <c>cases/prod.yaml:3</c>.</summary>
    public required string Where { get; init; }

    /// <summary>The expected and the actual value of each difference. Empty: none.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    /// <summary>The decision is as expected.</summary>
    public bool Passed => Differences.Count == 0;
}

/// <summary>How the cases cover a rule.</summary>
public sealed record RuleCoverage
{
    /// <summary>The rule's id.</summary>
    public required string Id { get; init; }

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    /// <summary>The number of cases that the rule matches. 0: no case tests it.</summary>
    public required int Cases { get; init; }

    /// <summary>At least one case fails without the rule. False: the rule can be removed without failing a case.</summary>
    public required bool IsMissed { get; init; }
}
