using System.Globalization;
using System.Text;
using System.Text.Unicode;
using Dispatcher.Contracts;

namespace Dispatcher.Base;

/// <summary>
/// Explains why a body is not JSON in UTF-8: it names the compression or encoding that the first bytes show. The headers of the transport
/// are only quoted, because a sender may set them wrongly.
/// </summary>
/// <param name="ContentType">The content type. Null: not given.</param>
/// <param name="ContentEncoding">The content encoding. Null: not given.</param>
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

    /// <summary>
    /// UTF-32 comes first, because its little-endian byte order mark begins with that of UTF-16. Without a mark, the zeros beside <c>{</c>
    /// decide.
    /// </summary>
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

    /// <summary>The error of this body. Null: it is UTF-8 and shows no other format.</summary>
    public InputError? Error(ReadOnlySpan<byte> body)
    {
        if (NameOf(body, Compressed) is { } compression)
        {
            return Of(
                "compressed",
                $"The body is compressed with {compression}{Quoted()}; compressed bodies are not read.",
                "Send it uncompressed, as JSON encoded as UTF-8, without a content encoding."
            );
        }

        if (body.StartsWith("\uFEFF"u8))
        {
            return Of(
                "byte_order_mark",
                $"The body begins with a byte order mark of UTF-8 (EF BB BF){Quoted()}.",
                "Send it without these three bytes, for example with \"new UTF8Encoding(false)\" in .NET "
                    + "or \"utf-8\" instead of \"utf-8-sig\" in Python."
            );
        }

        if (NameOf(body, Encodings) is { } encoding)
        {
            return Of("not_utf8", $"The body is encoded as {encoding}{Quoted()}; allowed: UTF-8.", Fix);
        }

        return Utf8.IsValid(body) ? OfType(body) : Of("not_utf8", $"The body is not valid UTF-8: {FirstInvalid(body)}{Quoted()}.", Fix);
    }

    /// <summary>For a form or XML, the content type explains more than the position of the first wrong character.</summary>
    private InputError? OfType(ReadOnlySpan<byte> body) =>
        ContentType is { } type
        && (type.Contains("form", StringComparison.OrdinalIgnoreCase) || type.Contains("xml", StringComparison.OrdinalIgnoreCase))
        && body.TrimStart(" \t\r\n"u8) is not [(byte)'{', ..]
            ? Of(
                "not_json",
                $"The body is not JSON{Quoted()}; allowed: a JSON object.",
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

    /// <summary>For example <c>byte 0xE9 at offset 17, which is 'é' in ISO-8859-1 (latin-1) and Windows-1252</c>.</summary>
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

    private string Quoted()
    {
        string[] given =
        [
            .. ContentType is null ? [] : new[] { $"content type \"{InputErrors.Cut(ContentType)}\"" },
            .. ContentEncoding is null ? [] : new[] { $"content encoding \"{InputErrors.Cut(ContentEncoding)}\"" },
        ];
        return given.Length == 0 ? "" : $" ({string.Join(", ", given)})";
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
