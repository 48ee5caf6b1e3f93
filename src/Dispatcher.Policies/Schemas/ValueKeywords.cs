using System.Globalization;
using System.Text.Json;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary><c>type</c>: one of these. A whole number is an <c>integer</c> in every notation (<c>1.0</c>, <c>1e2</c>).</summary>
internal sealed class TypeIsAnyOf(IReadOnlyList<string> types) : Keyword
{
    private static readonly Dictionary<string, string> Words = new(StringComparer.Ordinal)
    {
        ["array"] = "a list",
        ["boolean"] = "true or false",
        ["integer"] = "a whole number",
        ["null"] = "null",
        ["number"] = "a number",
        ["object"] = "an object",
        ["string"] = "a text",
    };

    public static IReadOnlyList<string> All { get; } = [.. Words.Keys];

    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        var type = Of(value.ValueKind);
        var fits =
            types.Contains(type, StringComparer.Ordinal)
            || (type == "number" && types.Contains("integer", StringComparer.Ordinal) && JsonNumber.Of(value).IsWhole);
        if (!fits)
        {
            var allowed = string.Join(" or ", types.Select(name => Words[name]));
            check.Add(at, value, allowed, $"send {allowed}.");
        }
    }

    public override void Describe(Shape shape) => shape.Types.AddRange(types);

    private static string Of(JsonValueKind kind) =>
        kind switch
        {
            JsonValueKind.Object => "object",
            JsonValueKind.Array => "array",
            JsonValueKind.String => "string",
            JsonValueKind.Number => "number",
            JsonValueKind.True or JsonValueKind.False => "boolean",
            JsonValueKind.Null or JsonValueKind.Undefined => "null",
        };
}

/// <summary><c>enum</c> and <c>const</c>: equal as JSON, so <c>1</c> is <c>1.0</c> and never <c>"1"</c>.</summary>
internal sealed class IsOneOf(IReadOnlyList<JsonElement> values) : Keyword
{
    private const int MaxListLength = 256;

    private readonly long _size = values.Sum(value => (long)PayloadCheck.SizeOf(value));

    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        var cost = values.Count + PayloadCheck.CostOf(_size + ((long)values.Count * PayloadCheck.SizeOf(value)));
        if (check.Step(cost) && !values.Any(one => JsonElement.DeepEquals(one, value)))
        {
            check.Add(
                at,
                value,
                Excerpt.Of(string.Join(", ", values.Select(one => one.GetRawText())), MaxListLength),
                "send one of these, exactly."
            );
        }
    }

    public override void Describe(Shape shape) => shape.Values.AddRange(values);
}

/// <summary>
/// <c>minLength</c>, <c>maxItems</c> and the like: characters (code points) of a text, items of a list, members of an object.
/// </summary>
internal sealed class SizeLimit(JsonValueKind kind, bool isMost, int limit) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (value.ValueKind != kind)
        {
            return;
        }

        var size = SizeOf(value);
        if (isMost ? size > limit : size < limit)
        {
            var unit =
                kind == JsonValueKind.String ? "characters"
                : kind == JsonValueKind.Array ? "items"
                : "members";
            var allowed = string.Create(CultureInfo.InvariantCulture, $"{(isMost ? "at most" : "at least")} {limit} {unit}");
            check.Add(at, value, allowed, $"send {allowed}.");
        }
    }

    public override void Describe(Shape shape)
    {
        if (!isMost && kind == JsonValueKind.String)
        {
            shape.LeastLength = Math.Max(shape.LeastLength, limit);
        }
        else if (!isMost && kind == JsonValueKind.Array)
        {
            shape.LeastItems = Math.Max(shape.LeastItems, limit);
        }
    }

    /// <summary>The number of characters of a text: a surrogate pair is one.</summary>
    public static int Length(JsonElement text) => text.GetString()!.EnumerateRunes().Count();

    private int SizeOf(JsonElement value) =>
        kind == JsonValueKind.String ? Length(value)
        : kind == JsonValueKind.Array ? value.GetArrayLength()
        : value.GetPropertyCount();
}

/// <summary><c>pattern</c>: matches anywhere in the text, unless it is anchored.</summary>
internal sealed class HasPattern(SchemaPattern pattern) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (
            value.ValueKind == JsonValueKind.String
            && check.Step(pattern.CostOf(PayloadCheck.SizeOf(value)))
            && !pattern.IsIn(value.GetString()!)
        )
        {
            check.Add(at, value, $"a text that fits {pattern}", "send such a text.");
        }
    }
}

/// <summary><c>minimum</c>, <c>exclusiveMaximum</c> and the like, exact for any number of digits.</summary>
internal sealed class NumberLimit(JsonElement limit, bool isMost, bool isExclusive) : Keyword
{
    private readonly JsonNumber _limit = JsonNumber.Of(limit);

    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            return;
        }

        var order = JsonNumber.Of(value).CompareTo(_limit);
        var isOver = isMost ? order > 0 : order < 0;
        if (isOver || (isExclusive && order == 0))
        {
            var allowed = $"{(isExclusive ? isMost ? "less than" : "more than" : isMost ? "at most" : "at least")} {limit.GetRawText()}";
            check.Add(at, value, allowed, $"send {allowed}.");
        }
    }

    public override void Describe(Shape shape)
    {
        if (!isMost && limit.TryGetDecimal(out var least))
        {
            shape.LeastNumber = decimal.Ceiling(isExclusive ? least + 1 : least);
        }
    }
}
