using System.Text.Json;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>
/// Reads the JSON of a file into a schema. It accepts a closed list of keywords of JSON Schema draft 2020-12 and enforces each: an ignored
/// keyword would accept payloads that its author wants to refuse. For the same reason a keyword must stand beside the <c>type</c> that it
/// limits.
/// </summary>
internal sealed class SchemaReader
{
    public const string Draft = "https://json-schema.org/draft/2020-12/schema";

    private const string Note = "note";
    private const string Any = "any";

    /// <summary>Each keyword with the type that it limits. A number keyword also allows <c>integer</c>.</summary>
    private static readonly Dictionary<string, string> Known = new(StringComparer.Ordinal)
    {
        ["$comment"] = Note,
        ["description"] = Note,
        ["examples"] = Note,
        ["title"] = Note,
        ["$ref"] = Any,
        ["allOf"] = Any,
        ["anyOf"] = Any,
        ["const"] = Any,
        ["enum"] = Any,
        ["not"] = Any,
        ["oneOf"] = Any,
        ["type"] = Any,
        ["items"] = "array",
        ["maxItems"] = "array",
        ["minItems"] = "array",
        ["uniqueItems"] = "array",
        ["additionalProperties"] = "object",
        ["maxProperties"] = "object",
        ["minProperties"] = "object",
        ["patternProperties"] = "object",
        ["properties"] = "object",
        ["required"] = "object",
        ["exclusiveMaximum"] = "number",
        ["exclusiveMinimum"] = "number",
        ["maximum"] = "number",
        ["minimum"] = "number",
        ["maxLength"] = "string",
        ["minLength"] = "string",
        ["pattern"] = "string",
    };

    private readonly SchemaFile _file;
    private readonly ErrorList _errors;
    private readonly SchemaValues _values;
    private readonly SchemaDefinitions _definitions;

    public SchemaReader(SchemaFile file, ErrorList errors)
    {
        _file = file;
        _errors = errors;
        _values = new SchemaValues(file);
        _definitions = new SchemaDefinitions(file);
    }

    /// <summary>The schema. Null: it has errors.</summary>
    public PayloadSchema? Read()
    {
        var before = _errors.Count;
        _definitions.Find();
        var root = ReadSchema(_file.Root, isRoot: true);
        _definitions.ReadAll(ReadSchema);
        return _errors.Count == before ? new PayloadSchema(root) : null;
    }

    private JsonSchema ReadSchema(JsonElement node) => ReadSchema(node, isRoot: false);

    private JsonSchema ReadSchema(JsonElement node, bool isRoot)
    {
        if (node.ValueKind is JsonValueKind.True or JsonValueKind.False && !isRoot)
        {
            return new JsonSchema(node.ValueKind == JsonValueKind.True ? [] : [new FitsNever()]);
        }

        if (!_values.IsSchema(node, orFlag: !isRoot))
        {
            return new JsonSchema([]);
        }

        var types = node.TryGetProperty("type", out var type) ? _values.Types(type) : [];
        List<Keyword> keywords = [];
        foreach (var member in node.EnumerateObject().Where(member => !(isRoot && IsOfRoot(member))))
        {
            if (IsKnown(member, types) && ReadKeyword(member, node, types) is { } keyword)
            {
                keywords.Add(keyword);
            }
        }

        if (ReadMembers(node) is { } members)
        {
            keywords.Add(members);
        }

        return new JsonSchema(keywords);
    }

    private bool IsOfRoot(JsonProperty member)
    {
        if (member.Name == "$schema" && !(member.Value.ValueKind == JsonValueKind.String && member.Value.GetString() == Draft))
        {
            _file.Report(
                member,
                BundleErrorCodes.BadValue,
                $"$schema is {SchemaValues.Show(member.Value)}; allowed: \"{Draft}\".",
                "write this value, and use the keywords of that draft."
            );
        }

        return member.Name is "$schema" or SchemaDefinitions.Key;
    }

    private bool IsKnown(JsonProperty member, IReadOnlyList<string> types)
    {
        if (!Known.TryGetValue(member.Name, out var type))
        {
            var nearest = Nearest.To(member.Name, [.. Known.Keys]);
            _file.Report(
                member,
                BundleErrorCodes.UnknownKeyword,
                $"keyword '{Excerpt.Of(member.Name, 64)}' is not enforced here; "
                    + $"allowed: {string.Join(", ", Known.Keys)}, and $schema and $defs at the top.",
                nearest is null ? "use other keywords, or remove it." : $"did you mean '{nearest}'?"
            );
            return false;
        }

        var hasEffect =
            type is Note or Any
            || types.Contains(type, StringComparer.Ordinal)
            || (type == "number" && types.Contains("integer", StringComparer.Ordinal));
        if (!hasEffect)
        {
            _file.Report(
                member,
                BundleErrorCodes.NoEffect,
                $"'{member.Name}' accepts every value that is not of type {type}; allowed: beside \"type\": \"{type}\".",
                "add the type, or remove it."
            );
        }

        return hasEffect && type != Note;
    }

    private Keyword? ReadKeyword(JsonProperty member, JsonElement node, IReadOnlyList<string> types)
    {
        var value = member.Value;
        return member.Name switch
        {
            "type" => new TypeIsAnyOf(types),
            "const" => new IsOneOf([value.Clone()]),
            "enum" => new IsOneOf([.. _values.Items(value, "enum").Select(one => one.Clone())]),
            "pattern" => _values.Pattern(value) is { } pattern ? new HasPattern(pattern) : null,
            "minLength" or "maxLength" => _values.Size(member, JsonValueKind.String),
            "minItems" or "maxItems" => _values.Size(member, JsonValueKind.Array),
            "minProperties" or "maxProperties" => _values.Size(member, JsonValueKind.Object),
            "minimum" or "maximum" or "exclusiveMinimum" or "exclusiveMaximum" => _values.Number(member),
            "required" => new HasMembers(_values.Names(value, "required")),
            "items" => new ItemsFit(_definitions.Deeper(() => ReadSchema(value))),
            "uniqueItems" => _values.Unique(member, node),
            "$ref" => _definitions.Refer(value),
            "allOf" => new FitsAll(ReadAlternatives(member)),
            "anyOf" or "oneOf" => new FitsSome(ReadAlternatives(member), exactlyOne: member.Name == "oneOf"),
            "not" => new FitsNot(ReadSchema(value)),
            _ => null,
        };
    }

    private IReadOnlyList<JsonSchema> ReadAlternatives(JsonProperty member) =>
        [.. _values.Items(member.Value, member.Name).Select(ReadSchema)];

    private Members? ReadMembers(JsonElement node)
    {
        var hasNamed = node.TryGetProperty("properties", out var named);
        var hasPatterned = node.TryGetProperty("patternProperties", out var patterned);
        var hasOthers = node.TryGetProperty("additionalProperties", out var others);
        if (!hasNamed && !hasPatterned && !hasOthers)
        {
            return null;
        }

        return _definitions.Deeper(() =>
            new Members
            {
                Named = Entries(hasNamed, named, "properties")
                    .ToDictionary(entry => entry.Name, entry => ReadSchema(entry.Value), StringComparer.Ordinal),
                Patterned =
                [
                    .. Entries(hasPatterned, patterned, "patternProperties")
                        .Select(entry => (Pattern: _values.Pattern(entry), Schema: ReadSchema(entry.Value)))
                        .Where(entry => entry.Pattern is not null)
                        .Select(entry => (entry.Pattern!, entry.Schema)),
                ],
                Others =
                    hasOthers && others.ValueKind == JsonValueKind.False ? null
                    : hasOthers ? ReadSchema(others)
                    : new JsonSchema([]),
            }
        );
    }

    private JsonProperty[] Entries(bool isThere, JsonElement node, string what) =>
        isThere && _values.IsKind(node, JsonValueKind.Object, what) ? [.. node.EnumerateObject()] : [];
}
