using System.Text;
using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// Compiles <c>pattern</c>, which is ECMA-262, so that the payload cannot make it slow: time grows with the length of the text and the size of the pattern, and no
/// faster; both are bounded, so that no clock is needed. What .NET reads otherwise is translated (its <c>$</c> lets a line break pass, its <c>\d</c> takes digits of
/// every script) or refused.
/// </summary>
internal sealed class SchemaPattern
{
    public const int Longest = 1024;

    private const string NotLineBreak = @"[^\n\r\u2028\u2029]";

    /// <summary>Most characters and classes with all counted repetitions written out: each may be a state that every character of a text is looked at in.</summary>
    private const int MostSize = 1_000;

    /// <summary>Characters of a text, times states, that are looked at in one step.</summary>
    private const int StatesInStep = 64;

    private static readonly Dictionary<char, string> Sets = new()
    {
        ['d'] = "0-9",
        ['w'] = "A-Za-z0-9_",
        ['s'] = @"\t\n\v\f\r\u00a0\u2028\u2029\ufeff\p{Zs}",
    };

    private readonly Regex _regex;
    private readonly string _source;
    private readonly long _size;

    /// <exception cref="ArgumentException">It is no pattern.</exception>
    /// <exception cref="NotSupportedException">It uses what is not taken here.</exception>
    public SchemaPattern(string source)
    {
        _source = source;
        _size = PatternSize.Of(source);
        if (_size > MostSize)
        {
            throw new NotSupportedException($"with its repetitions written out it is longer than {MostSize} characters and classes; use minLength and maxLength, or count less");
        }

        _regex = new Regex(Translate(source), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, Regex.InfiniteMatchTimeout);
    }

    public bool IsIn(string text) => _regex.IsMatch(text);

    /// <summary>What it costs to look for the pattern in so many bytes, in steps.</summary>
    public long CostOf(int bytes) => 1 + (bytes * _size / StatesInStep);

    public override string ToString() => _source;

    private static string Translate(string pattern)
    {
        StringBuilder text = new(pattern.Length);
        bool inClass = false;
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            if (c == '\\' && i + 1 < pattern.Length)
            {
                text.Append(Escaped(pattern, ++i, inClass));
            }
            else if (inClass)
            {
                inClass = c != ']';
                text.Append(c != '[' ? c : throw new NotSupportedException("'[' inside a class must be written \\["));
            }
            else
            {
                inClass = c == '[';
                text.Append(c == '$' ? @"\z" : c == '.' ? NotLineBreak : c.ToString());
                RefuseOtherGroups(pattern, i);
            }
        }

        return text.ToString();
    }

    private static string Escaped(string pattern, int i, bool inClass)
    {
        char c = pattern[i];
        if (Sets.TryGetValue(char.ToLowerInvariant(c), out string? set))
        {
            return inClass ? InClass(set, pattern, i) : char.IsLower(c) ? $"[{set}]" : $"[^{set}]";
        }

        return c is 't' or 'n' or 'r' or 'f' or 'v' or 'u' or 'x' || !char.IsAsciiLetterOrDigit(c)
            ? "\\" + c
            : throw new NotSupportedException($"\\{c} is not taken; allowed after \\ are d, w, s, D, W, S, t, n, r, f, v, uXXXX, xXX and punctuation");
    }

    private static string InClass(string set, string pattern, int i)
    {
        if (char.IsUpper(pattern[i]))
        {
            throw new NotSupportedException($"\\{pattern[i]} inside a class is not taken; write it out");
        }

        // Written out, the set's first or last character would become the end of a range.
        if (pattern[i - 2] == '-' || (pattern.AsSpan(i + 1).StartsWith("-") && !pattern.AsSpan(i + 1).StartsWith("-]")))
        {
            throw new NotSupportedException($"'-' beside \\{pattern[i]} inside a class is not taken, but at the end of the class it is");
        }

        return set;
    }

    private static void RefuseOtherGroups(string pattern, int i)
    {
        ReadOnlySpan<char> rest = pattern.AsSpan(i);
        if (rest.StartsWith("(?") && !rest.StartsWith("(?:"))
        {
            throw new NotSupportedException("groups with (? are not taken, but (?: is");
        }

        // An empty class; .NET reads the bracket as a member of it.
        if (rest.StartsWith("[]") || rest.StartsWith("[^]"))
        {
            throw new NotSupportedException("an empty class is not taken; write ']' in a class as \\]");
        }
    }
}
