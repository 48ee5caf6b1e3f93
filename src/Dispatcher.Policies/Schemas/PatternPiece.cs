using System.Globalization;
using System.Text;

namespace Dispatcher.Policies.Schemas;

/// <summary>A piece of an ECMA-262 pattern that matches one character: an escape, a class, <c>.</c>, or a literal character.</summary>
/// <param name="Set">The characters that the piece matches.</param>
/// <param name="End">The index after the piece.</param>
internal readonly record struct PatternPiece(CodePoints Set, int End)
{
    /// <summary>Reads the piece that starts at the index.</summary>
    /// <exception cref="NotSupportedException">The pattern uses unsupported syntax or is incomplete.</exception>
    public static PatternPiece Read(string pattern, int start) =>
        pattern[start] switch
        {
            '[' => ReadClass(pattern, start + 1),
            '.' => new PatternPiece(CodePoints.LineBreaks.Others(), start + 1),
            _ => ReadOne(pattern, start),
        };

    private static PatternPiece ReadClass(string pattern, int start)
    {
        var isNegated = pattern.AsSpan(start).StartsWith("^");
        var at = isNegated ? start + 1 : start;

        // .NET would read the bracket as a member of the class.
        if (pattern.AsSpan(at).StartsWith("]"))
        {
            throw new NotSupportedException("an empty class is not supported; write ']' in a class as \\]");
        }

        var set = CodePoints.Empty;
        while (at < pattern.Length && pattern[at] != ']')
        {
            (var member, at) = ReadMember(pattern, at);
            set = set.With(member);
        }

        return at < pattern.Length
            ? new PatternPiece(isNegated ? set.Others() : set, at + 1)
            : throw new NotSupportedException("a class is not closed with ]");
    }

    /// <summary>A character of a class, or a range, or a named set.</summary>
    private static PatternPiece ReadMember(string pattern, int start)
    {
        if (pattern[start] == '[')
        {
            throw new NotSupportedException("'[' inside a class must be written \\[");
        }

        var first = ReadOne(pattern, start);
        var rest = pattern.AsSpan(first.End);
        if (rest.Length < 2 || rest[0] != '-' || rest[1] == ']')
        {
            return first;
        }

        if (IsNamed(pattern, start) || IsNamed(pattern, first.End + 1))
        {
            throw new NotSupportedException("'-' beside \\d, \\w or \\s inside a class is not supported; put '-' at the end of the class");
        }

        (var low, _) = ReadCharacter(pattern, start);
        (var high, var end) = ReadCharacter(pattern, first.End + 1);
        return low <= high
            ? new PatternPiece(CodePoints.Empty.With(low.Value, high.Value), end)
            : throw new NotSupportedException("a range in a class ends before it starts");
    }

    private static PatternPiece ReadOne(string pattern, int start)
    {
        if (IsNamed(pattern, start))
        {
            return new PatternPiece(CodePoints.Named(pattern[start + 1])!, start + 2);
        }

        (var character, var end) = ReadCharacter(pattern, start);
        return new PatternPiece(CodePoints.Empty.With(character.Value, character.Value), end);
    }

    private static bool IsNamed(string pattern, int start) =>
        start + 1 < pattern.Length && pattern[start] == '\\' && CodePoints.Named(pattern[start + 1]) is not null;

    private static (Rune Character, int End) ReadCharacter(string pattern, int start)
    {
        var isEscape = pattern[start] == '\\';
        var at = isEscape ? start + 1 : start;
        if (at >= pattern.Length)
        {
            throw new NotSupportedException("the pattern ends with a single \\");
        }

        return isEscape && char.IsAsciiLetterOrDigit(pattern[at]) ? ReadLetter(pattern, at)
            : Rune.TryGetRuneAt(pattern, at, out var character) ? (character, at + character.Utf16SequenceLength)
            : throw HalfPair();
    }

    private static (Rune Character, int End) ReadLetter(string pattern, int at) =>
        pattern[at] switch
        {
            't' => ((Rune)'\t', at + 1),
            'n' => ((Rune)'\n', at + 1),
            'r' => ((Rune)'\r', at + 1),
            'f' => ((Rune)'\f', at + 1),
            'v' => ((Rune)'\v', at + 1),
            'x' => (new Rune(Hex(pattern, at + 1, 2)), at + 3),
            'u' => ReadUnicode(pattern, at + 1),
            char other => throw new NotSupportedException(
                $"\\{other} is not supported; allowed after \\ are d, w, s, D, W, S, t, n, r, f, v, uXXXX, u{{X…}}, xXX and punctuation"
            ),
        };

    /// <summary><c>\u0041</c>, both halves of a pair <c>\ud83d\udc32</c>, or <c>\u{1f432}</c>.</summary>
    private static (Rune Character, int End) ReadUnicode(string pattern, int at)
    {
        if (pattern.AsSpan(at).StartsWith("{"))
        {
            var close = pattern.IndexOf('}', at);
            return Rune.TryCreate(close > at + 1 && close <= at + 9 ? Hex(pattern, at + 1, close - at - 1) : -1, out var named)
                ? (named, close + 1)
                : throw new NotSupportedException("\\u{…} must contain the hexadecimal number of a character, up to 10ffff");
        }

        var unit = Hex(pattern, at, 4);
        if (Rune.TryCreate(unit, out var character))
        {
            return (character, at + 4);
        }

        return pattern.AsSpan(at + 4).StartsWith("\\u") && Rune.TryCreate((char)unit, (char)Hex(pattern, at + 6, 4), out var pair)
            ? (pair, at + 10)
            : throw HalfPair();
    }

    private static int Hex(string pattern, int at, int digits) =>
        at + digits <= pattern.Length
        && int.TryParse(pattern.AsSpan(at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            ? value
            : throw new NotSupportedException($"an escape with x or u needs hexadecimal digits: {digits} of them");

    private static NotSupportedException HalfPair() =>
        new("half a surrogate pair is not a character; write both halves, the character itself or \\u{…}");
}
