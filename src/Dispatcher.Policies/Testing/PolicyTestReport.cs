using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Testing;

/// <summary>The result of running a bundle's cases.</summary>
public sealed record PolicyTestReport
{
    /// <summary>What is wrong with the files. Not empty: nothing was run.</summary>
    public required IReadOnlyList<BundleError> Errors { get; init; }

    /// <summary>Every case, in the order of the files.</summary>
    public required IReadOnlyList<CaseResult> Cases { get; init; }

    /// <summary>Every rule, by id.</summary>
    public required IReadOnlyList<RuleCoverage> Rules { get; init; }

    /// <summary>The files are in order and every case is decided as its author expects.</summary>
    public bool Passed => Errors.Count == 0 && Cases.All(test => test.Passed);
}

/// <summary>What became of one case.</summary>
public sealed record CaseResult
{
    /// <summary>The case's name.</summary>
    public required string Name { get; init; }

    /// <summary>File and line, for example <c>cases/prod.yaml:3</c>.</summary>
    public required string Where { get; init; }

    /// <summary>What was expected and what was decided, for each thing that differs. Empty: nothing does.</summary>
    public required IReadOnlyList<string> Differences { get; init; }

    /// <summary>Decided as expected.</summary>
    public bool Passed => Differences.Count == 0;
}

/// <summary>How well the cases know a rule.</summary>
public sealed record RuleCoverage
{
    /// <summary>The rule's id.</summary>
    public required string Id { get; init; }

    /// <summary>File and line, for example <c>rules/prod.yaml:14</c>.</summary>
    public required string Where { get; init; }

    /// <summary>How many cases it matches. 0: no case tests it.</summary>
    public required int Cases { get; init; }

    /// <summary>At least one case would fail if the rule were not there. False: it could be taken out and nobody would notice.</summary>
    public required bool IsMissed { get; init; }
}
