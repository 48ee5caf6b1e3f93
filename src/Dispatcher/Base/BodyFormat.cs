using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Dispatcher.Contracts;

namespace Dispatcher.Base;

/// <summary>Says what a body that is no JSON in UTF-8 most probably is. What the transport says of it is quoted; what the bytes say decides.</summary>
/// <param name="ContentType">The content type. Null: not said.</param>
/// <param name="ContentEncoding">The content encoding. Null: not said.</param>
internal sealed record BodyFormat(string? ContentType, string? ContentEncoding)
{
    private const string Fix = "Send JSON encoded as UTF-8 without a byte order mark.";

    private static readonly (byte[] Start, string Name)[] Compressed =
    [
        ([0x1F, 0x8B], "gzip"),
        ([0x28, 0xB5, 0x2F, 0xFD], "zstd"),
        ([0x78, 0x01], "deflate"),
        ([0x78, 0x9C], "deflate"),
        ([0x78, 0xDA], "deflate"),
        ([(byte)'P', (byte)'K', 3, 4], "zip"),
    ];

    /// <summary>UTF-32 before UTF-16, whose mark begins like it. Without a mark, the zeros beside the first character tell.</summary>
    private static readonly (byte[] Start, string Name)[] Encodings =
    [
        ([0xFF, 0xFE, 0, 0], "UTF-32 (little endian)"),
        ([0, 0, 0xFE, 0xFF], "UTF-32 (big endian)"),
        ([0xFF, 0xFE], "UTF-16 (little endian)"),
        ([0xFE, 0xFF], "UTF-16 (big endian)"),
        ([(byte)'{', 0, 0, 0], "UTF-32 (little endian)"),
        ([0, 0, 0, (byte)'{'], "UTF-32 (big endian)"),
        ([(byte)'{', 0], "UTF-16 (little endian)"),
        ([0, (byte)'{'], "UTF-16 (big endian)"),
    ];

    /// <summary>Null: it is UTF-8, and nothing tells what else it could be.</summary>
    public InputError? Error(ReadOnlySpan<byte> body)
    {
        if (NameOf(body, Compressed) is { } compression)
        {
            return Of(
                "compressed",
                $"The body is compressed with {compression}{Said()}; compressed bodies are not read.",
                "Send it uncompressed, as JSON encoded as UTF-8, without a content encoding."
            );
        }

        if (body.StartsWith("\uFEFF"u8))
        {
            return Of(
                "byte_order_mark",
                $"The body begins with a byte order mark of UTF-8 (EF BB BF){Said()}.",
                "Send it without these three bytes, for example with \"new UTF8Encoding(false)\" in .NET or \"utf-8\" instead of \"utf-8-sig\" in Python."
            );
        }

        if (NameOf(body, Encodings) is { } encoding)
        {
            return Of("not_utf8", $"The body is encoded as {encoding}{Said()}; allowed: UTF-8.", Fix);
        }

        return Utf8.IsValid(body) ? OfType(body) : Of("not_utf8", $"The body is not valid UTF-8: {FirstInvalid(body)}{Said()}.", Fix);
    }

    /// <summary>A form is text, but what it says of itself tells more than the position of its first character.</summary>
    private InputError? OfType(ReadOnlySpan<byte> body) =>
        ContentType is { } type
        && (type.Contains("form", StringComparison.OrdinalIgnoreCase) || type.Contains("xml", StringComparison.OrdinalIgnoreCase))
        && body.TrimStart(" \t\r\n"u8) is not [(byte)'{', ..]
            ? Of(
                "not_json",
                $"The body is no JSON{Said()}; allowed: a JSON object.",
                "Send the job as one JSON object with Content-Type: application/json."
            )
            : null;

    private static string? NameOf(ReadOnlySpan<byte> body, (byte[] Start, string Name)[] known)
    {
        foreach (var (start, name) in known)
        {
            if (body.StartsWith(start))
            {
                return name;
            }
        }

        return null;
    }

    /// <summary>For example <c>byte 0xE9 at offset 17; it is ü in ISO-8859-1 or Windows-1252</c>.</summary>
    private static string FirstInvalid(ReadOnlySpan<byte> body)
    {
        var offset = 0;
        while (Rune.DecodeFromUtf8(body[offset..], out _, out var length) == System.Buffers.OperationStatus.Done)
        {
            offset += length;
        }

        var bad = body[offset];
        if (bad == 0xED && offset + 1 < body.Length && body[offset + 1] >= 0xA0)
        {
            return string.Create(CultureInfo.InvariantCulture, $"half of a surrogate pair at offset {offset:N0}");
        }

        var latin = bad >= 0xA0 ? $", which is '{(char)bad}' in ISO-8859-1 (latin-1) and Windows-1252" : "";
        return string.Create(CultureInfo.InvariantCulture, $"byte 0x{bad:X2} at offset {offset:N0}{latin}");
    }

    private string Said()
    {
        string[] said =
        [
            .. ContentType is null ? [] : new[] { $"content type \"{InputErrors.Cut(ContentType)}\"" },
            .. ContentEncoding is null ? [] : new[] { $"content encoding \"{InputErrors.Cut(ContentEncoding)}\"" },
        ];
        return said.Length == 0 ? "" : $" ({string.Join(", ", said)})";
    }

    private static InputError Of(string code, string message, string fix) =>
        new()
        {
            Code = code,
            Where = "body",
            Message = message,
            Fix = fix,
        };
}
