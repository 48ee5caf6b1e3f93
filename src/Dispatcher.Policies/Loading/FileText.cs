using System.Text;
using System.Text.Unicode;

namespace Dispatcher.Policies.Loading;

/// <summary>A file's bytes as text.</summary>
internal static class FileText
{
    /// <summary>Null: it is too large or not UTF-8, and that is reported.</summary>
    public static string? Of(BundleFile file, int maxBytes, ErrorList errors) =>
        IsReadable(file, maxBytes, errors) ? Encoding.UTF8.GetString(file.Content.Span).TrimStart('\uFEFF') : null;

    public static bool IsReadable(BundleFile file, int maxBytes, ErrorList errors)
    {
        ReadOnlySpan<byte> content = file.Content.Span;
        if (content.Length > maxBytes)
        {
            errors.Add(file.Path, BundleErrorCodes.Unreadable, $"the file has {content.Length} bytes; allowed: {maxBytes}.", "split or shorten it.");
            return false;
        }

        if (Utf8.IsValid(content))
        {
            return true;
        }

        int at = Valid(content);
        errors.Add(
            $"{file.Path}:{content[..at].Count((byte)'\n') + 1}", BundleErrorCodes.Unreadable,
            $"byte {at} of the file, 0x{content[at]:X2}, is not UTF-8; allowed: UTF-8.",
            "save the file as UTF-8.");
        return false;
    }

    /// <summary>How many bytes are text up to the first that is none.</summary>
    private static int Valid(ReadOnlySpan<byte> content)
    {
        int at = 0;
        while (Rune.DecodeFromUtf8(content[at..], out _, out int length) == System.Buffers.OperationStatus.Done)
        {
            at += length;
        }

        return at;
    }
}
