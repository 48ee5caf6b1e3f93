using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Linting;

/// <summary>Lists of names in a message.</summary>
internal static class NameList
{
    private const int MaxNames = 8;

    /// <summary>A fix that suggests the nearest name, or another fix if no name is near.</summary>
    public static string Fix(string word, IReadOnlyList<string> known, string otherwise) =>
        Nearest.To(word, known) is { } nearest && nearest != word ? $"did you mean '{nearest}'? Otherwise {otherwise}" : otherwise;

    /// <summary>The first names, and the number of the others.</summary>
    public static string Some(IReadOnlyList<string> names) =>
        names.Count == 0
            ? "none"
            : string.Join(", ", names.Take(MaxNames)) + (names.Count > MaxNames ? $" and {names.Count - MaxNames} more" : "");
}
