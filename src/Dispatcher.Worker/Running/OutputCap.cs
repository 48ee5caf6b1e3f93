using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;

namespace Dispatcher.Worker.Running;

/// <summary>Keeps a result within its limit: a larger one becomes <c>{"truncated": true, "bytes": N, "preview": "..."}</c>.</summary>
internal static class OutputCap
{
    public static JsonElement? Apply(JsonElement? result, int maxBytes)
    {
        if (result is not { ValueKind: not JsonValueKind.Undefined } value)
        {
            return null;
        }

        var size = Size(value);
        if (size <= maxBytes)
        {
            return value;
        }

        var text = Encoding.UTF8.GetBytes(value.GetRawText());
        for (var keep = maxBytes; ; keep /= 2)
        {
            var marked = JsonSerializer.SerializeToElement(
                new
                {
                    truncated = true,
                    bytes = size,
                    preview = Head(text, keep),
                }
            );
            // The marker stays also when the limit is below its size, so that a truncated output is visible as one.
            if (Size(marked) <= maxBytes || keep == 0)
            {
                return marked;
            }
        }
    }

    /// <summary>The number of bytes on the wire, where quotes and other characters are escaped.</summary>
    public static int Size(JsonElement value) => JsonSerializer.SerializeToUtf8Bytes(value, WireJson.Default.JsonElement).Length;

    /// <summary>The first bytes as text, without half a character at the end.</summary>
    public static string Head(ReadOnlySpan<byte> utf8, int bytes)
    {
        var end = Math.Min(bytes, utf8.Length);
        while (end > 0 && end < utf8.Length && (utf8[end] & 0xC0) == 0x80)
        {
            end--;
        }

        return Encoding.UTF8.GetString(utf8[..end]);
    }
}
