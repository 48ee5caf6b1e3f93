using System.Text.Json.Nodes;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// Completes a value with what a schema requires. The result must be checked: patterns match only by chance, and alternatives are ignored.
/// </summary>
internal static class Sample
{
    private const int MaxDepth = 16;
    private const int MaxLength = 64;

    /// <param name="value">The existing value. Null: none.</param>
    /// <param name="schema">The schema.</param>
    /// <param name="depth">The depth of recursion: a schema may contain itself.</param>
    public static JsonNode? Complete(JsonNode? value, JsonSchema schema, int depth = 0)
    {
        var shape = schema.Shape();
        var takesList = shape.Values.Count == 0 && (shape.Types.Count == 0 || shape.Types.Contains("array"));
        return value switch
        {
            JsonObject members => Fill(members, shape, depth),
            JsonArray { Count: 1 } list when !takesList => list[0]!.DeepClone(),
            not null => value,
            null => Make(shape, depth),
        };
    }

    private static JsonNode? Make(Shape shape, int depth)
    {
        if (shape.Values.Count > 0)
        {
            return JsonNode.Parse(shape.Values[0].GetRawText());
        }

        return (shape.Types.FirstOrDefault() ?? (shape.Required.Count > 0 ? "object" : "string")) switch
        {
            "object" => Fill([], shape, depth),
            "array" => new JsonArray([
                .. Enumerable.Range(0, Math.Min(shape.LeastItems, MaxLength)).Select(_ => Below(null, shape.Items, depth)),
            ]),
            "boolean" => JsonValue.Create(true),
            "integer" or "number" => JsonValue.Create(shape.LeastNumber ?? 1),
            "null" => null,
            _ => JsonValue.Create(new string('x', Math.Clamp(shape.LeastLength, 1, MaxLength))),
        };
    }

    private static JsonObject Fill(JsonObject members, Shape shape, int depth)
    {
        foreach (var name in members.Select(member => member.Key).Union(shape.Required, StringComparer.Ordinal).ToList())
        {
            var value = members[name];
            members.Remove(name);
            members.Add(name, Below(value, shape.Members.GetValueOrDefault(name), depth));
        }

        return members;
    }

    private static JsonNode? Below(JsonNode? value, JsonSchema? schema, int depth) =>
        schema is not null && depth < MaxDepth ? Complete(value, schema, depth + 1) : value ?? JsonValue.Create("x");
}
