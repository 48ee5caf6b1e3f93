using System.Globalization;

namespace Dispatcher.Policies.Linting;

/// <summary>A file and line. Files are ordered by name, lines by number.</summary>
internal readonly record struct SourceLine(string File, int Line) : IComparable<SourceLine>
{
    public static SourceLine Of(string where)
    {
        var colon = where.LastIndexOf(':');
        return colon >= 0 && int.TryParse(where.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var line)
            ? new SourceLine(where[..colon], line)
            : new SourceLine(where, 0);
    }

    public int CompareTo(SourceLine other) =>
        string.CompareOrdinal(File, other.File) is var byFile and not 0 ? byFile : Line.CompareTo(other.Line);
}
