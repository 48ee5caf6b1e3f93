using System.Buffers;
using System.Globalization;
using System.Text;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Base;

/// <summary>Makes untrusted text safe for a terminal and a log.</summary>
internal static class PrintableText
{
    /// <summary>
    /// Escapes control, direction and other invisible characters: untrusted text must not move the cursor, change colours, reorder the
    /// line, or look like other text.
    /// </summary>
    public static string Of(string text, bool keepLines = false)
    {
        if (!Excerpt.HasInvisible(text))
        {
            return text;
        }

        var clean = new StringBuilder(text.Length);
        for (ReadOnlySpan<char> rest = text; rest.Length > 0; )
        {
            var isWhole = Rune.DecodeFromUtf16(rest, out var rune, out var length) == OperationStatus.Done;
            var isSafe = isWhole && ((keepLines && rune.Value == '\n') || !Excerpt.IsInvisible(rune));
            _ =
                isSafe ? clean.Append(rest[..length])
                : rune.IsBmp ? clean.Append(CultureInfo.InvariantCulture, $"\\u{(int)rest[0]:x4}")
                : clean.Append(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}");
            rest = rest[length..];
        }

        return clean.ToString();
    }
}
