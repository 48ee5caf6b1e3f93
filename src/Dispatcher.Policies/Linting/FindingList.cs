using System.Globalization;

namespace Dispatcher.Policies.Linting;

/// <summary>Collects what lint finds.</summary>
/// <param name="submittable">Makes of a job that shows a finding one that can be handed in. Null: that cannot be done, and the finding is shown without.</param>
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

    /// <summary>By file, line and code; each once.</summary>
    public IReadOnlyList<LintFinding> Sorted() =>
        [
            .. _findings
                .DistinctBy(finding => (finding.Where, finding.Code, finding.Message))
                .OrderBy(finding => Place.Of(finding.Where))
                .ThenBy(finding => finding.Code, StringComparer.Ordinal)
                .ThenBy(finding => finding.Message, StringComparer.Ordinal),
        ];
}

/// <summary>A place that can be compared: files by name, lines by number.</summary>
internal readonly record struct Place(string File, int Line) : IComparable<Place>
{
    public static Place Of(string where)
    {
        var colon = where.LastIndexOf(':');
        return colon >= 0 && int.TryParse(where.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var line)
            ? new Place(where[..colon], line)
            : new Place(where, 0);
    }

    public int CompareTo(Place other) =>
        string.CompareOrdinal(File, other.File) is var byFile and not 0 ? byFile : Line.CompareTo(other.Line);
}
