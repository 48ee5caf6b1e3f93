using Dispatcher.Policies.Model;

namespace Dispatcher.Policies.Linting;

/// <summary>Collects the findings of lint.</summary>
/// <param name="submittable">Converts a witness to a job that can be submitted. If it returns null, the finding has no witness.</param>
internal sealed class FindingList(Func<JobFacts, JobFacts?> submittable)
{
    private readonly List<LintFinding> _findings = [];

    public void Error(string where, string code, string message, string fix, JobFacts? witness = null) =>
        _findings.Add(
            new LintFinding
            {
                Severity = LintSeverity.Error,
                Code = code,
                Where = where,
                Message = message,
                Fix = fix,
                Witness = witness is null ? null : submittable(witness),
            }
        );

    public void Warning(string where, string code, string message, string fix, JobFacts? witness = null) =>
        _findings.Add(
            new LintFinding
            {
                Severity = LintSeverity.Warning,
                Code = code,
                Where = where,
                Message = message,
                Fix = fix,
                Witness = witness is null ? null : submittable(witness),
            }
        );

    public void Info(string where, string code, string message, string fix) =>
        _findings.Add(
            new LintFinding
            {
                Severity = LintSeverity.Info,
                Code = code,
                Where = where,
                Message = message,
                Fix = fix,
            }
        );

    /// <summary>Sorted by file, line and code, without duplicates.</summary>
    public IReadOnlyList<LintFinding> Sorted() =>
        [
            .. _findings
                .DistinctBy(finding => (finding.Where, finding.Code, finding.Message))
                .OrderBy(finding => SourceLine.Of(finding.Where))
                .ThenBy(finding => finding.Code, StringComparer.Ordinal)
                .ThenBy(finding => finding.Message, StringComparer.Ordinal),
        ];
}
