using System.Text;
using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// Compiles an ECMA-262 <c>pattern</c> so that no payload can make it slow: time is linear in the length of the text and in the size of the
/// pattern, and both are bounded, so no time limit is needed. Syntax with another meaning in .NET is translated or refused: in .NET,
/// <c>$</c> also matches before a final line break, <c>\d</c> matches digits of every script, and <c>.</c> matches half a surrogate pair.
/// </summary>
internal sealed class SchemaPattern
{
    public const int MaxLength = 1024;

    /// <summary>Syntax that matches no character, besides <c>(?:</c> and counted repetitions.</summary>
    private const string Syntax = "^$()|*+?";

    /// <summary>
    /// The maximum number of characters and classes with all counted repetitions expanded. Each may be a state that the matcher tries for
    /// every character of a text.
    /// </summary>
    private const int MaxSize = 1_000;

    /// <summary>Characters of a text, times states, that one step may read.</summary>
    private const int StatesInStep = 64;

    private readonly Regex _regex;
    private readonly string _source;
    private readonly long _size;

    /// <exception cref="ArgumentException">The pattern is invalid.</exception>
    /// <exception cref="NotSupportedException">The pattern uses unsupported syntax.</exception>
    public SchemaPattern(string source)
    {
        _source = source;
        _size = PatternSize.Of(source);
        if (_size > MaxSize)
        {
            throw new NotSupportedException(
                $"with its repetitions expanded it is longer than {MaxSize} characters and classes; "
                    + "use minLength and maxLength, or lower the counts"
            );
        }

        _regex = new Regex(Translate(source), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, Regex.InfiniteMatchTimeout);
    }

    public bool IsIn(string text) => _regex.IsMatch(text);

    /// <summary>The steps of searching the pattern in so many bytes.</summary>
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

    /// <summary>The length of the syntax at the index. 0: the pattern has a character or class there.</summary>
    private static int SyntaxAt(string pattern, int i)
    {
        var rest = pattern.AsSpan(i);
        if (rest.StartsWith("(?"))
        {
            return rest.StartsWith("(?:") ? 3 : throw new NotSupportedException("groups with (? are not supported, except (?:");
        }

        var repetition = PatternSize.RepetitionAt(pattern, i);
        return repetition > 0 ? repetition
            : Syntax.Contains(rest[0], StringComparison.Ordinal) ? 1
            : 0;
    }
}
