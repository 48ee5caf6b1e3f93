using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Dispatcher.Contracts;

namespace Dispatcher.Base;

/// <summary>
/// Parses untrusted JSON: UTF-8, no duplicate keys, no U+0000, no lone surrogates, at most <see cref="JsonLimits.DeepestBody"/> levels. A
/// document that passes can be stored as text.
/// </summary>
internal static class StrictJson
{
    private const int MaxDepth = JsonLimits.DeepestBody;

    /// <summary>The number of nested arrays and objects: 0 for a text, 1 for <c>[]</c>.</summary>
    public static int Depth(JsonElement element)
    {
        var deepest = 0;
        var json = new Utf8JsonReader(JsonMarshal.GetRawUtf8Value(element), new JsonReaderOptions { MaxDepth = MaxDepth });
        while (json.Read())
        {
            // CurrentDepth counts an array or object only from its next token on.
            var begins = json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray;
            deepest = Math.Max(deepest, json.CurrentDepth + (begins ? 1 : 0));
        }

        return deepest;
    }

    /// <summary>Parses a body. Adds its errors and returns null if it is not valid.</summary>
    /// <param name="body">The body.</param>
    /// <param name="errors">Gets the errors.</param>
    /// <param name="nulAllowed">Whether U+0000 is allowed: for a body that is stored as bytes.</param>
    /// <param name="format">The headers of the transport, which error messages quote. Null: none.</param>
    public static JsonDocument? Parse(
        ReadOnlyMemory<byte> body,
        List<InputError> errors,
        bool nulAllowed = false,
        BodyFormat? format = null
    )
    {
        format ??= new BodyFormat(null, null);
        if (!Utf8.IsValid(body.Span))
        {
            errors.Add(format.Error(body.Span)!);
            return null;
        }

        JsonDocument document;
        try
        {
            document = Parse(body);
        }
        catch (JsonException) when (format.Error(body.Span) is { } error)
        {
            errors.Add(error);
            return null;
        }
        catch (JsonException broken)
        {
            errors.Report(
                "invalid_json",
                "body",
                "The body is not one JSON value: " + FirstSentence(broken),
                "Send one JSON object; each member at most once, at most 64 levels deep."
            );
            return null;
        }

        // U+0000 and lone surrogates can only come from an escape: raw ones were refused before.
        if (body.Span.IndexOf("\\u"u8) >= 0)
        {
            CheckText(document.RootElement, "", nulAllowed, errors);
        }

        return document;
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = MaxDepth });
        }
        catch (InvalidOperationException)
        {
            // The comparison of keys throws on a lone surrogate in one of them. Without it, CheckText finds and reports the surrogate.
            return JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = MaxDepth });
        }
    }

    private static void CheckText(JsonElement element, string pointer, bool nulAllowed, List<InputError> errors)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                using (var members = element.EnumerateObject())
                {
                    while (!errors.IsFull() && members.MoveNext())
                    {
                        var member = members.Current;
                        var name = Storable(() => member.Name, pointer, nulAllowed, errors);
                        CheckText(member.Value, name is null ? pointer : Below(pointer, name), nulAllowed, errors);
                    }
                }

                break;
            case JsonValueKind.Array:
                using (var items = element.EnumerateArray())
                {
                    for (var index = 0; !errors.IsFull() && items.MoveNext(); index++)
                    {
                        CheckText(items.Current, Below(pointer, index.ToString(CultureInfo.InvariantCulture)), nulAllowed, errors);
                    }
                }

                break;
            case JsonValueKind.String:
                Storable(() => element.GetString()!, pointer, nulAllowed, errors);
                break;
            default:
                break;
        }
    }

    private static string? Storable(Func<string> read, string pointer, bool nulAllowed, List<InputError> errors)
    {
        string text;
        try
        {
            text = read();
        }
        catch (InvalidOperationException)
        {
            errors.Report(
                "lone_surrogate",
                Where(pointer),
                "The text has half of a surrogate pair.",
                "Send both halves, or the character itself as UTF-8."
            );
            return null;
        }

        if (!nulAllowed && text.Contains('\0', StringComparison.Ordinal))
        {
            errors.Report(
                "nul_character",
                Where(pointer),
                "The text has the character U+0000.",
                "Leave it out; send binary content as base64."
            );
        }

        return text;
    }

    /// <summary>
    /// The pointer to a member. It stops growing at the length that is shown: otherwise one long name would be copied for each of the
    /// thousands of values below it.
    /// </summary>
    private static string Below(string pointer, string name) =>
        pointer.Length > InputErrors.MaxWhere
            ? pointer
            : $"{pointer}/{Escape(name.Length > InputErrors.MaxWhere ? name[..(InputErrors.MaxWhere + 1)] : name)}";

    private static string Where(string pointer) => pointer.Length == 0 ? "body" : pointer;

    /// <summary>A name as a part of a JSON pointer (RFC 6901).</summary>
    public static string Escape(string name) =>
        name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>The first sentence of the runtime's message, and the position. The second sentence repeats both.</summary>
    private static string FirstSentence(JsonException broken) =>
        InputErrors.Cut(broken.Message.Split(". ")[0].TrimEnd('.'), InputErrors.MaxWhere)
        + $" (line {(broken.LineNumber ?? 0) + 1}, byte {(broken.BytePositionInLine ?? 0) + 1}).";
}
