using System.Globalization;
using System.Text;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// A set of characters (code points). .NET matches UTF-16 units, two for a character beyond the first 65,536; <see cref="ToPattern"/>
/// writes the set so that it matches whole characters. The set never contains half a surrogate pair.
/// </summary>
internal sealed class CodePoints
{
    private const int FirstSurrogate = 0xD800;
    private const int LastSurrogate = 0xDFFF;
    private const int FirstLow = 0xDC00;
    private const int LastOfBmp = 0xFFFF;
    private const int Last = 0x10FFFF;

    private readonly List<(int First, int Last)> _ranges;

    private CodePoints(List<(int First, int Last)> ranges) => _ranges = ranges;

    public static CodePoints Empty { get; } = new([]);

    /// <summary>LineTerminator in ECMA-262.</summary>
    public static CodePoints LineBreaks { get; } = Empty.With('\n', '\n').With('\r', '\r').With(0x2028, 0x2029);

    private static CodePoints Digits { get; } = Empty.With('0', '9');

    private static CodePoints Words { get; } = Digits.With('A', 'Z').With('_', '_').With('a', 'z');

    /// <summary>WhiteSpace and LineTerminator in ECMA-262.</summary>
    private static CodePoints Spaces { get; } =
        LineBreaks
            .With('\t', '\f')
            .With(' ', ' ')
            .With(0xA0, 0xA0)
            .With(0x1680, 0x1680)
            .With(0x2000, 0x200A)
            .With(0x202F, 0x202F)
            .With(0x205F, 0x205F)
            .With(0x3000, 0x3000)
            .With(0xFEFF, 0xFEFF);

    /// <summary>The set of <c>\d</c>, <c>\w</c>, <c>\s</c>, <c>\D</c>, <c>\W</c> or <c>\S</c>. Null: the letter names no set.</summary>
    public static CodePoints? Named(char letter) =>
        letter switch
        {
            'd' => Digits,
            'w' => Words,
            's' => Spaces,
            'D' => Digits.Others(),
            'W' => Words.Others(),
            'S' => Spaces.Others(),
            _ => null,
        };

    public CodePoints With(int first, int last) => new([.. _ranges, (first, last)]);

    public CodePoints With(CodePoints others) => new([.. _ranges, .. others._ranges]);

    /// <summary>All characters that are not in this set.</summary>
    public CodePoints Others()
    {
        List<(int First, int Last)> others = [];
        var next = 0;
        foreach ((var first, var last) in Merged())
        {
            Add(others, next, first - 1);
            next = last + 1;
        }

        Add(others, next, Last);
        return new CodePoints(others);
    }

    /// <summary>The number of states that a matcher may need: 1, and one more for each further kind of surrogate pair.</summary>
    public int Size => Math.Max(1, Pairs().Count());

    /// <summary>A .NET pattern that matches one character of the set: a class, and after it the surrogate pairs as alternatives.</summary>
    public string ToPattern()
    {
        var units = string.Concat(Merged().SelectMany(InBmp).Select(range => Unit(range.First) + "-" + Unit(range.Last)));
        string[] pairs = [.. Pairs()];
        return pairs.Length == 0
            ? units.Length > 0
                ? $"[{units}]"
                : @"[^\u0000-\uffff]"
            : $"(?:{string.Join('|', units.Length > 0 ? [$"[{units}]", .. pairs] : pairs)})";
    }

    private IEnumerable<string> Pairs() =>
        Merged().Where(range => range.Last > LastOfBmp).SelectMany(range => Pairs(Math.Max(range.First, LastOfBmp + 1), range.Last));

    /// <summary>
    /// At most three pairs: the first high surrogate with its last lows, those between with all lows, the last with its first lows.
    /// </summary>
    private static IEnumerable<string> Pairs(int first, int last)
    {
        (var high, var low) = Halves(first);
        (var lastHigh, var lastLow) = Halves(last);
        if (low != FirstLow && high < lastHigh)
        {
            yield return Pair(high, high, low, LastSurrogate);
            (high, low) = (high + 1, FirstLow);
        }

        if (high < lastHigh && lastLow != LastSurrogate)
        {
            yield return Pair(high, lastHigh - 1, FirstLow, LastSurrogate);
            (high, low) = (lastHigh, FirstLow);
        }

        yield return Pair(high, lastHigh, low, lastLow);
    }

    private static string Pair(int high, int lastHigh, int low, int lastLow) =>
        $"[{Unit(high)}-{Unit(lastHigh)}][{Unit(low)}-{Unit(lastLow)}]";

    private static (int High, int Low) Halves(int codePoint)
    {
        var pair = new Rune(codePoint).ToString();
        return (pair[0], pair[1]);
    }

    private static string Unit(int unit) => string.Create(CultureInfo.InvariantCulture, $"\\u{unit:x4}");

    private static IEnumerable<(int First, int Last)> InBmp((int First, int Last) range)
    {
        if (range.First < FirstSurrogate)
        {
            yield return (range.First, Math.Min(range.Last, FirstSurrogate - 1));
        }

        if (range.First <= LastOfBmp && range.Last > LastSurrogate)
        {
            yield return (Math.Max(range.First, LastSurrogate + 1), Math.Min(range.Last, LastOfBmp));
        }
    }

    /// <summary>The ranges in order, without overlaps or neighbours.</summary>
    private List<(int First, int Last)> Merged()
    {
        List<(int First, int Last)> merged = [];
        foreach ((var first, var last) in _ranges.Order())
        {
            if (merged.Count > 0 && first <= merged[^1].Last + 1)
            {
                merged[^1] = (merged[^1].First, Math.Max(merged[^1].Last, last));
            }
            else
            {
                merged.Add((first, last));
            }
        }

        return merged;
    }

    private static void Add(List<(int First, int Last)> ranges, int first, int last)
    {
        if (first <= last)
        {
            ranges.Add((first, last));
        }
    }
}
