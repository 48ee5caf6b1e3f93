namespace Dispatcher.Policies.Files;

/// <summary>A rule, topic or case that contains a YAML syntax error.</summary>
/// <param name="Line">The line on which it begins, or on which an earlier item begins.</param>
/// <param name="Column">The column of the same place.</param>
/// <param name="IsOpen">False: the broken item begins after this place.</param>
internal readonly record struct BrokenItem(int Line, int Column, bool IsOpen)
{
    /// <summary>
    /// The text with empty lines instead of the item, so that all other lines keep their numbers, and the removed text. Null: the item
    /// shares its lines with others.
    /// </summary>
    public (string Text, string Removed)? Blank(string text, int faultLine)
    {
        var lines = text.Split('\n');
        var last = Math.Min(faultLine, lines.Length) - 1;
        var first = Math.Min(Line, lines.Length) - 1;
        var indent = Indent(lines[first]);
        var isList = IsDash(lines[first], indent);
        if (!isList && Column - 1 != indent)
        {
            return null;
        }

        if (!IsOpen)
        {
            first = Enumerable
                .Range(first, Math.Max(1, last - first + 1))
                .Last(line => line == first || Begins(lines[line], indent, isList));
        }

        var end = Math.Max(first, last) + 1;
        while (end < lines.Length && !Begins(lines[end], indent, isList))
        {
            end++;
        }

        var removed = string.Join('\n', lines[first..end]);
        Array.Fill(lines, "", first, end - first);
        return (string.Join('\n', lines), removed);
    }

    /// <summary>Whether the line begins another item, or the part after all items.</summary>
    private static bool Begins(string line, int indent, bool isList)
    {
        var own = Indent(line);
        return own < line.Length
            && line[own] is not ('#' or '\r' or '\t')
            && (own < indent || (own == indent && IsDash(line, own) == isList));
    }

    private static bool IsDash(string line, int at) => at < line.Length && line[at] == '-';

    private static int Indent(string line) => line.Length - line.AsSpan().TrimStart(' ').Length;
}
