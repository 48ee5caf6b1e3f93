using System.Runtime.InteropServices;
using System.Text.Json;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>A file under <c>schemas/</c> as JSON with line numbers: the bytes of an element are a slice of the bytes of the file.</summary>
internal sealed class SchemaFile
{
    private const int MaxBytes = 256 * 1024;

    private readonly string _path;
    private readonly ReadOnlyMemory<byte> _content;
    private readonly ErrorList _errors;

    private SchemaFile(string path, ReadOnlyMemory<byte> content, JsonElement root, ErrorList errors)
    {
        _path = path;
        _content = content;
        _errors = errors;
        Root = root;
    }

    public JsonElement Root { get; }

    /// <summary>Reads a file into a schema. Null: the file or the schema has errors, and the list has them.</summary>
    public static PayloadSchema? Read(BundleFile file, ErrorList errors)
    {
        if (!FileText.IsReadable(file, MaxBytes, errors))
        {
            return null;
        }

        var content = file.Content[^FileText.WithoutMark(file.Content.Span).Length..];
        try
        {
            using var document = JsonDocument.Parse(content);
            SchemaFile schema = new(file.Path, content, document.RootElement, errors);
            return schema.HasKeyTwice(document.RootElement) ? null : new SchemaReader(schema, errors).Read();
        }
        catch (JsonException error)
        {
            errors.Add(
                $"{file.Path}:{error.LineNumber + 1}",
                BundleErrorCodes.BadJson,
                $"this is not valid JSON: {JsonErrors.Reason(error)}.",
                "check commas, quotes and brackets on this line and the one before."
            );
        }
        catch (InvalidOperationException)
        {
            errors.Add(
                file.Path,
                BundleErrorCodes.BadJson,
                $"a text contains half a surrogate pair, such as a single \\ud83d; allowed: whole characters.",
                "write both halves of a surrogate pair, or the character itself."
            );
        }

        return null;
    }

    public void Report(JsonElement at, string code, string message, string fix) =>
        _errors.Add(Where(JsonMarshal.GetRawUtf8Value(at)), code, message, fix);

    public void Report(JsonProperty at, string code, string message, string fix) =>
        _errors.Add(Where(JsonMarshal.GetRawUtf8PropertyName(at)), code, message, fix);

    private string Where(ReadOnlySpan<byte> piece)
    {
        // Counting lines for thousands of unlisted errors would dominate the time.
        if (_errors.IsFull)
        {
            return _path;
        }

        _content.Span.Overlaps(piece, out var offset);
        return $"{_path}:{_content.Span[..offset].Count((byte)'\n') + 1}";
    }

    /// <summary>Reports duplicate keys: JSON readers would silently ignore one of the two values.</summary>
    private bool HasKeyTwice(JsonElement element)
    {
        if (element.ValueKind == JsonValueKind.String)
        {
            // Throws on half a surrogate pair. Otherwise the first comparison with a payload would throw.
            _ = element.GetString();
            return false;
        }

        if (element.ValueKind == JsonValueKind.Array)
        {
            return element.EnumerateArray().Aggregate(false, (found, item) => HasKeyTwice(item) || found);
        }

        if (element.ValueKind != JsonValueKind.Object)
        {
            return false;
        }

        var twice = false;
        HashSet<string> seen = new(StringComparer.Ordinal);
        foreach (var member in element.EnumerateObject())
        {
            if (!seen.Add(member.Name))
            {
                Report(
                    member,
                    BundleErrorCodes.DuplicateKey,
                    $"key '{member.Name}' occurs twice; allowed: each key once.",
                    "merge the two or remove one."
                );
                twice = true;
            }

            twice = HasKeyTwice(member.Value) || twice;
        }

        return twice;
    }
}
