using System.Globalization;
using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// A JSON number with all its digits: sign, and 0.<see cref="Digits"/> times ten to the <see cref="Exponent"/>. A double would read 2^53 +
/// 1 as 2^53 and 1e400 as infinity.
/// </summary>
internal readonly record struct JsonNumber(bool IsNegative, string Digits, long Exponent) : IComparable<JsonNumber>
{
    /// <summary>Far beyond any limit in a schema, and small enough to add the number of digits.</summary>
    private const long MaxExponent = 1_000_000_000_000;

    public bool IsWhole => Digits.Length <= Exponent;

    public static JsonNumber Of(JsonElement number)
    {
        var text = number.GetRawText();
        var e = text.AsSpan().IndexOfAny('e', 'E');
        var mantissa = (e < 0 ? text : text.AsSpan(0, e)).TrimStart('-');
        var point = mantissa.IndexOf('.');
        var whole = point < 0 ? mantissa.Length : point;
        var all = point < 0 ? mantissa.ToString() : string.Concat(mantissa[..point], mantissa[(point + 1)..]);
        var significant = all.TrimStart('0');
        var digits = significant.TrimEnd('0');
        var exponent = e < 0 ? 0 : ExponentOf(text.AsSpan(e + 1));
        return digits.Length == 0
            ? new JsonNumber(false, "", 0)
            : new JsonNumber(text[0] == '-', digits, whole - (all.Length - significant.Length) + exponent);
    }

    public int CompareTo(JsonNumber other)
    {
        var sign = Sign.CompareTo(other.Sign);
        return sign != 0 ? sign
            : IsNegative ? -CompareSize(other)
            : CompareSize(other);
    }

    private int Sign =>
        Digits.Length == 0 ? 0
        : IsNegative ? -1
        : 1;

    private int CompareSize(JsonNumber other)
    {
        var exponent = Exponent.CompareTo(other.Exponent);
        return exponent != 0 ? exponent : string.CompareOrdinal(Digits, other.Digits);
    }

    private static long ExponentOf(ReadOnlySpan<char> text) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent)
            ? Math.Clamp(exponent, -MaxExponent, MaxExponent)
        : text[0] == '-' ? -MaxExponent
        : MaxExponent;
}
