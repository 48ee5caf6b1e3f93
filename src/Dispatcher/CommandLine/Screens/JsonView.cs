using System.Text.Encodings.Web;
using System.Text.Json;

namespace Dispatcher.CommandLine.Screens;

/// <summary>
/// Reads the server's answers leniently: a newer or older server may add or lack members, and a screen then shows fewer fields.
/// </summary>
internal static class JsonView
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static JsonElement Value(this JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) ? value : default;

    public static IEnumerable<JsonElement> Items(this JsonElement from, string name) =>
        from.Value(name) is { ValueKind: JsonValueKind.Array } items ? items.EnumerateArray() : [];

    /// <summary>
    /// A string unchanged, a list of strings with commas, an object of these as <c>name=value</c>, any other value as JSON. Empty when
    /// missing or null.
    /// </summary>
    public static string Text(this JsonElement from, string name) => from.Value(name).AsText();

    public static string AsText(this JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Undefined or JsonValueKind.Null => "",
            JsonValueKind.String => value.GetString()!,
            JsonValueKind.Array when IsList(value) => string.Join(", ", value.EnumerateArray().Select(AsText)),
            JsonValueKind.Object when value.EnumerateObject().All(member => IsPlain(member.Value) || IsList(member.Value)) => string.Join(
                " ",
                value
                    .EnumerateObject()
                    .Where(member => member.Value.ValueKind != JsonValueKind.Null)
                    .Select(member => $"{Word(member.Name)}={AsWord(member.Value)}")
            ),
            _ => value.GetRawText(),
        };

    private static string AsWord(JsonElement value) =>
        value.ValueKind == JsonValueKind.Array
            ? string.Join(",", value.EnumerateArray().Select(item => Word(item.AsText())))
            : Word(value.AsText());

    /// <summary>As JSON where the text could look like several words or lines.</summary>
    private static string Word(string text) =>
        text.All(c => !char.IsWhiteSpace(c) && !char.IsControl(c) && c is not ('"' or '=' or ','))
            ? text
            : JsonSerializer.Serialize(text, Readable);

    /// <summary>The unchanged JSON; empty when missing or null.</summary>
    public static string Raw(this JsonElement from, string name) =>
        from.Value(name) is { ValueKind: not JsonValueKind.Undefined and not JsonValueKind.Null } value ? value.GetRawText() : "";

    /// <summary>A time; null when missing.</summary>
    public static DateTimeOffset? Moment(this JsonElement from, string name) =>
        from.Value(name) is { ValueKind: JsonValueKind.String } value && value.TryGetDateTimeOffset(out var at) ? at : null;

    /// <summary>A fault in one line: class, code, type, message.</summary>
    public static string Fault(this JsonElement from, string name)
    {
        var fault = from.Value(name);
        return fault.ValueKind == JsonValueKind.Object
            ? string.Join(
                ": ",
                new[] { fault.Text("class"), fault.Text("code"), fault.Text("type"), fault.Text("message") }.Where(part => part.Length > 0)
            )
            : fault.AsText();
    }

    private static bool IsList(JsonElement value) => value.ValueKind == JsonValueKind.Array && value.EnumerateArray().All(IsPlain);

    private static bool IsPlain(JsonElement value) => value.ValueKind is not JsonValueKind.Object and not JsonValueKind.Array;
}
