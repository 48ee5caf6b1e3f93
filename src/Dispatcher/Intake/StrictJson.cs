using System.Text.Json;
using System.Text.Unicode;
using Dispatcher.Contracts;

namespace Dispatcher.Intake;

/// <summary>Parses JSON from strangers: UTF-8, no duplicate keys, no U+0000, no lone surrogates, at most 64 levels. What passes can be stored as text.</summary>
internal static class StrictJson
{
    private const int Deepest = 64;
    private const string NulCharacter = "nul_character";

    /// <summary>Null, with the errors added, when it does not pass. With <paramref name="nulAllowed"/> U+0000 does: for what is kept as bytes.</summary>
    public static JsonDocument? Parse(ReadOnlyMemory<byte> body, List<InputError> errors, bool nulAllowed = false)
    {
        if (!Utf8.IsValid(body.Span))
        {
            errors.Add(new InputError { Code = "not_utf8", Where = "body", Message = "The body is not valid UTF-8.", Fix = "Send JSON encoded as UTF-8 without a byte order mark." });
            return null;
        }

        JsonDocument document;
        try
        {
            document = Parse(body);
        }
        catch (JsonException broken)
        {
            errors.Add(new InputError { Code = "invalid_json", Where = "body", Message = "The body is not one JSON value: " + FirstSentence(broken), Fix = "Send one JSON object; each member at most once, at most 64 levels deep." });
            return null;
        }

        // Only an escape can hide what UTF-8 and the parser have not refused already.
        if (body.Span.IndexOf("\\u"u8) >= 0)
        {
            var found = new List<InputError>();
            CheckText(document.RootElement, "", found);
            errors.AddRange(found.Where(error => !nulAllowed || error.Code != NulCharacter));
        }

        return document;
    }

    private static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body, new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = Deepest });
        }
        catch (InvalidOperationException)
        {
            // Comparing keys stumbles over half of a surrogate pair in one of them. Without the comparison it can be found and named.
            return JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = Deepest });
        }
    }

    private static void CheckText(JsonElement element, string pointer, List<InputError> errors)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    var name = Storable(() => member.Name, pointer, errors);
                    CheckText(member.Value, name is null ? pointer : $"{pointer}/{Escape(name)}", errors);
                }

                break;
            case JsonValueKind.Array:
                var index = 0;
                foreach (var item in element.EnumerateArray())
                {
                    CheckText(item, $"{pointer}/{index++}", errors);
                }

                break;
            case JsonValueKind.String:
                Storable(() => element.GetString()!, pointer, errors);
                break;
            default:
                break;
        }
    }

    private static string? Storable(Func<string> read, string pointer, List<InputError> errors)
    {
        string text;
        try
        {
            text = read();
        }
        catch (InvalidOperationException)
        {
            errors.Add(new InputError { Code = "lone_surrogate", Where = Where(pointer), Message = "The text has half of a surrogate pair.", Fix = "Send both halves, or the character itself as UTF-8." });
            return null;
        }

        if (text.Contains('\0', StringComparison.Ordinal))
        {
            errors.Add(new InputError { Code = NulCharacter, Where = Where(pointer), Message = "The text has the character U+0000.", Fix = "Leave it out; send binary content as base64." });
        }

        return text;
    }

    private static string Where(string pointer) => pointer.Length == 0 ? "body" : pointer;

    /// <summary>A name as a part of a JSON pointer (RFC 6901).</summary>
    public static string Escape(string name) => name.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);

    /// <summary>The runtime's message repeats path and position in a second sentence; keep what a person needs.</summary>
    private static string FirstSentence(JsonException broken) =>
        $"{broken.Message.Split(". ")[0].TrimEnd('.')} (line {(broken.LineNumber ?? 0) + 1}, byte {(broken.BytePositionInLine ?? 0) + 1}).";
}
