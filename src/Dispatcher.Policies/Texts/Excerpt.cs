using System.Buffers;
using System.Globalization;
using System.Text;

namespace Dispatcher.Policies.Texts;

/// <summary>Makes untrusted text safe to show in an answer, a row or a log line.</summary>
public static class Excerpt
{
    /// <summary>Whether the text has a character that <see cref="IsInvisible"/> names, or half of a surrogate pair.</summary>
    /// <param name="text">The untrusted text.</param>
    public static bool HasInvisible(string text)
    {
        for (ReadOnlySpan<char> rest = text; rest.Length > 0; )
        {
            if (Rune.DecodeFromUtf16(rest, out var rune, out var length) != OperationStatus.Done || IsInvisible(rune))
            {
                return true;
            }

            rest = rest[length..];
        }

        return false;
    }

    /// <summary>
    /// Whether a reader cannot see the character or cannot know its appearance: control and format characters, line and paragraph
    /// separators, private and unassigned characters, and blank letters and symbols.
    /// </summary>
    /// <param name="character">Any character, including those beyond the first 65,536.</param>
    public static bool IsInvisible(Rune character) =>
        character.Value is 0x034F or 0x115F or 0x1160 or 0x17B4 or 0x17B5 or 0x2800 or 0x3164 or 0xFFA0
        || character.Value is (>= 0x180B and <= 0x180F) or (>= 0xFE00 and <= 0xFE0F) or (>= 0xE0100 and <= 0xE01EF)
        || Rune.GetUnicodeCategory(character)
            is UnicodeCategory.Control
                or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator
                or UnicodeCategory.ParagraphSeparator
                or UnicodeCategory.Surrogate
                or UnicodeCategory.PrivateUse
                or UnicodeCategory.OtherNotAssigned;

    /// <summary>The text, shortened and on one line, without control characters that a terminal would obey: <c>a?b…</c></summary>
    /// <param name="text">The untrusted text.</param>
    /// <param name="longest">The maximum number of characters, from 1.</param>
    public static string Of(string text, int longest)
    {
        // Never cut between the halves of a surrogate pair.
        var excerpt = text.Length <= longest ? text : text[..(char.IsHighSurrogate(text[longest - 1]) ? longest - 1 : longest)] + "…";
        return excerpt.Any(char.IsControl) ? new string([.. excerpt.Select(c => char.IsControl(c) ? '?' : c)]) : excerpt;
    }
}
