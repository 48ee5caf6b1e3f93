using System.Globalization;
using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// The size of a pattern with its counted repetitions expanded: <c>(ab{3}){2}</c> is 8. Nested repetitions multiply, so a short pattern may
/// be huge. A class counts one, and one more for each further kind of surrogate pair in it.
/// </summary>
internal static partial class PatternSize
{
    /// <summary>Beyond every limit, and small enough to multiply.</summary>
    private const long Huge = int.MaxValue;

    /// <summary>The size, or a number beyond every limit. Unbalanced brackets also get a size: they are detected elsewhere.</summary>
    /// <exception cref="NotSupportedException">A class or an escape is incomplete or not supported.</exception>
    public static long Of(string pattern)
    {
        Stack<long> outer = [];
        (long sum, long last) = (0, 0);
        for (var i = 0; i < pattern.Length; i++)
        {
            switch (pattern[i])
            {
                case '(':
                    outer.Push(sum + last);
                    (sum, last) = (0, 0);
                    i += pattern.AsSpan(i + 1).StartsWith("?:") ? 2 : 0;
                    break;
                case ')' when outer.Count > 0:
                    last = Math.Max(1, sum + last);
                    sum = outer.Pop();
                    break;
                case '{' when Repetition().Match(pattern, i) is { Success: true } counted:
                    last *= Times(counted);
                    i += counted.Length - 1;
                    break;
                case '*' or '+' or '?' or '|' or '^' or '$':
                    break;
                default:
                    var piece = PatternPiece.Read(pattern, i);
                    (sum, last) = (sum + last, piece.Set.Size);
                    i = piece.End - 1;
                    break;
            }

            (sum, last) = (Math.Min(sum, Huge), Math.Min(last, Huge));
        }

        return outer.Sum() + sum + last;
    }

    /// <summary>The length of the counted repetition at the index, such as <c>{2,5}</c>. 0: there is none.</summary>
    public static int RepetitionAt(string pattern, int i) => pattern[i] == '{' ? Repetition().Match(pattern, i).Length : 0;

    /// <summary>The higher of the two numbers; without an upper one, the lower plus one, because the rest repeats in place.</summary>
    private static long Times(Match counted)
    {
        var least = Number(counted.Groups[1].Value);
        var most =
            counted.Groups[3].Length > 0 ? Number(counted.Groups[3].Value)
            : counted.Groups[2].Success ? least + 1
            : least;
        return Math.Max(1, Math.Max(least, most));
    }

    private static long Number(string digits) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Math.Min(number, Huge) : Huge;

    [GeneratedRegex(@"\G\{([0-9]+)(,([0-9]*))?\}")]
    private static partial Regex Repetition();
}
