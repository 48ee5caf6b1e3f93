using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>A value of a document, and one schema that applies to it.</summary>
/// <param name="SchemaPath">The place of the schema, for example <c>#/$defs/rule</c>.</param>
/// <param name="Path">Keys and indexes from the document's root to the value.</param>
/// <param name="Schema">The schema.</param>
/// <param name="Value">The value.</param>
internal sealed record Visit(string SchemaPath, IReadOnlyList<object> Path, JsonElement Schema, JsonNode? Value);

/// <summary>Walks through a document together with its schema.</summary>
internal sealed class SchemaWalk(JsonElement root)
{
    private readonly List<Visit> _visits = [];

    public static IReadOnlyList<Visit> Of(JsonElement schema, JsonNode document)
    {
        SchemaWalk walk = new(schema);
        walk.Enter(new Visit("#", [], schema, document));
        return walk._visits;
    }

    /// <summary>Every key of every closed object of a schema, as place and key.</summary>
    public static IEnumerable<(string SchemaPath, string Key)> Keys(JsonElement schema, string path = "#")
    {
        IEnumerable<(string, string)> own = IsClosed(schema)
            ? schema.GetProperty("properties").EnumerateObject().Select(key => (path, key.Name))
            : [];
        return schema.ValueKind switch
        {
            JsonValueKind.Object => own.Concat(schema.EnumerateObject().SelectMany(member => Keys(member.Value, $"{path}/{member.Name}"))),
            JsonValueKind.Array => schema.EnumerateArray().SelectMany((item, index) => Keys(item, $"{path}/{index}")),
            _ => [],
        };
    }

    public static bool IsClosed(JsonElement schema) =>
        schema.ValueKind == JsonValueKind.Object
        && schema.TryGetProperty("properties", out _)
        && schema.TryGetProperty("additionalProperties", out var others)
        && others.ValueKind == JsonValueKind.False;

    private void Enter(Visit here)
    {
        if (here.Schema.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        _visits.Add(here);
        if (here.Schema.TryGetProperty("$ref", out var reference))
        {
            Enter(here with { SchemaPath = reference.GetString()!, Schema = Resolve(reference) });
        }

        EnterAlternatives(here);
        EnterMembers(here);
        if (here.Schema.TryGetProperty("items", out var items) && here.Value is JsonArray list)
        {
            for (var i = 0; i < list.Count; i++)
            {
                Enter(new Visit($"{here.SchemaPath}/items", [.. here.Path, i], items, list[i]));
            }
        }
    }

    private void EnterAlternatives(Visit here)
    {
        if (!here.Schema.TryGetProperty("anyOf", out var alternatives))
        {
            return;
        }

        var number = 0;
        foreach (var alternative in alternatives.EnumerateArray())
        {
            var inner = here with { SchemaPath = $"{here.SchemaPath}/anyOf/{number++}", Schema = alternative };
            if (IsOfKind(alternative, here.Value))
            {
                Enter(inner);
            }
        }
    }

    private void EnterMembers(Visit here)
    {
        foreach ((var key, var value) in here.Value as JsonObject ?? [])
        {
            if (Member(here.Schema, key) is { } member)
            {
                Enter(new Visit($"{here.SchemaPath}/{member.Place}", [.. here.Path, key], member.Schema, value));
            }
        }
    }

    private static (string Place, JsonElement Schema)? Member(JsonElement schema, string key)
    {
        if (schema.TryGetProperty("properties", out var named) && named.TryGetProperty(key, out var own))
        {
            return ($"properties/{key}", own);
        }

        if (schema.TryGetProperty("patternProperties", out var patterned))
        {
            var pattern = patterned.EnumerateObject().First(entry => Regex.IsMatch(key, entry.Name));
            return ($"patternProperties/{pattern.Name}", pattern.Value);
        }

        return schema.TryGetProperty("additionalProperties", out var others) ? ("additionalProperties", others) : null;
    }

    private bool IsOfKind(JsonElement schema, JsonNode? value)
    {
        var resolved = schema.TryGetProperty("$ref", out var reference) ? Resolve(reference) : schema;
        return !resolved.TryGetProperty("type", out var type) || type.GetString() == value?.GetValueKind().ToString().ToLowerInvariant();
    }

    private JsonElement Resolve(JsonElement reference) =>
        root.GetProperty("$defs").GetProperty(reference.GetString()!["#/$defs/".Length..]);
}
