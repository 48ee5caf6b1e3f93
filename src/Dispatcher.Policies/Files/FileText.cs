using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Files;

/// <summary>
/// Converts the bytes of a file to text. A parser must read the same text as a person, so characters that an editor or a diff does not show
/// are errors.
/// </summary>
internal static class FileText
{
    /// <summary>More such characters usually repeat one mistake.</summary>
    private const int MaxInvisible = 20;

    /// <summary>The text. Null: the file is too large, not UTF-8, or has an invisible character, which is reported.</summary>
    public static string? Of(BundleFile file, int maxBytes, ErrorList errors) =>
        IsReadable(file, maxBytes, errors) ? Encoding.UTF8.GetString(WithoutMark(file.Content.Span)) : null;

    /// <summary>The bytes without the byte order mark that some editors write.</summary>
    public static ReadOnlySpan<byte> WithoutMark(ReadOnlySpan<byte> content) => content.StartsWith("\uFEFF"u8) ? content[3..] : content;

    public static bool IsReadable(BundleFile file, int maxBytes, ErrorList errors)
    {
        var content = file.Content.Span;
        if (content.Length > maxBytes)
        {
            errors.Add(
                file.Path,
                BundleErrorCodes.Unreadable,
                $"the file has {content.Length} bytes; allowed: {maxBytes}.",
                "split or shorten it."
            );
            return false;
        }

        if (Utf8.IsValid(content))
        {
            return ShowsAll(file, errors);
        }

        var at = Valid(content);
        errors.Add(
            $"{file.Path}:{content[..at].Count((byte)'\n') + 1}",
            BundleErrorCodes.Unreadable,
            $"byte {at} of the file, 0x{content[at]:X2}, is not UTF-8; allowed: UTF-8.",
            "save the file as UTF-8."
        );
        return false;
    }

    /// <summary>
    /// Reports each invisible character with line and column (in characters, from 1). Some of them end a line for a YAML parser (NEL, LS,
    /// PS, a lone CR) but not for an editor, so a comment could hide a rule. Others reorder or hide text (bidirectional controls).
    /// </summary>
    private static bool ShowsAll(BundleFile file, ErrorList errors)
    {
        var rest = WithoutMark(file.Content.Span);
        (var line, var column, var found) = (1, 1, 0);
        while (rest.Length > 0 && found < MaxInvisible)
        {
            Rune.DecodeFromUtf8(rest, out var rune, out var length);
            rest = rest[length..];
            if (!IsShown(rune, rest))
            {
                found++;
                errors.Add(
                    $"{file.Path}:{line}",
                    BundleErrorCodes.InvisibleCharacter,
                    $"column {column} has the invisible character U+{rune.Value:X4} ({Rune.GetUnicodeCategory(rune)}); "
                        + "allowed: characters that an editor shows, spaces, tabs and line breaks (LF or CRLF).",
                    "delete it; in a quoted text, write it as an escape such as \"\\u2028\"."
                );
            }

            (line, column) = rune.Value == '\n' ? (line + 1, 1) : (line, column + 1);
        }

        return found == 0;
    }

    private static bool IsShown(Rune rune, ReadOnlySpan<byte> next) =>
        rune.Value switch
        {
            ' ' or '\t' or '\n' => true,
            '\r' => next.StartsWith("\n"u8),
            _ => !Excerpt.IsInvisible(rune) && Rune.GetUnicodeCategory(rune) != UnicodeCategory.SpaceSeparator,
        };

    /// <summary>The number of valid UTF-8 bytes before the first invalid one.</summary>
    private static int Valid(ReadOnlySpan<byte> content)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(content[at..], out _, out var length) == System.Buffers.OperationStatus.Done)
        {
            at += length;
        }

        return at;
    }
}
