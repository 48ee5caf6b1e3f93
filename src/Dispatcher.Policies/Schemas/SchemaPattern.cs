using System.Text;
using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// Compiles <c>pattern</c>, which is ECMA-262, so that the payload cannot make it slow: time grows with the length of the text and the size of the pattern, and no
/// faster; both are bounded, so that no clock is needed. What .NET reads otherwise is translated (its <c>$</c> lets a line break pass, its <c>\d</c> takes digits of
/// every script, its <c>.</c> takes half a surrogate pair) or refused.
/// </summary>
internal sealed class SchemaPattern
{
    public const int Longest = 1024;

    /// <summary>What stands for no character of a text, besides <c>(?:</c> and counted repetitions.</summary>
    private const string Syntax = "^$()|*+?";

    /// <summary>Most characters and classes with all counted repetitions written out: each may be a state that every character of a text is looked at in.</summary>
    private const int MostSize = 1_000;

    /// <summary>Characters of a text, times states, that are looked at in one step.</summary>
    private const int StatesInStep = 64;

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
            throw new NotSupportedException(
                $"with its repetitions written out it is longer than {MostSize} characters and classes; use minLength and maxLength, or count less"
            );
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
        for (var i = 0; i < pattern.Length; )
        {
            var syntax = SyntaxAt(pattern, i);
            if (syntax > 0)
            {
                text.Append(pattern[i] == '$' ? @"\z" : pattern.Substring(i, syntax));
                i += syntax;
                continue;
            }

            var piece = PatternPiece.Read(pattern, i);
            text.Append(piece.Set.ToPattern());
            i = piece.End;
        }

        return text.ToString();
    }

    /// <summary>How long the syntax is that starts at the index. 0: what is there stands for a character of a text.</summary>
    private static int SyntaxAt(string pattern, int i)
    {
        var rest = pattern.AsSpan(i);
        if (rest.StartsWith("(?"))
        {
            return rest.StartsWith("(?:") ? 3 : throw new NotSupportedException("groups with (? are not taken, but (?: is");
        }

        var repetition = PatternSize.RepetitionAt(pattern, i);
        return repetition > 0 ? repetition
            : Syntax.Contains(rest[0], StringComparison.Ordinal) ? 1
            : 0;
    }
}
