using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary><c>properties</c>, <c>patternProperties</c> and <c>additionalProperties</c>, which depend on each other.</summary>
internal sealed class Members : Keyword
{
    private const int MaxListLength = 256;
    private const int MaxNameLength = 64;

    public required IReadOnlyDictionary<string, JsonSchema> Named { get; init; }

    public required IReadOnlyList<(SchemaPattern Pattern, JsonSchema Schema)> Patterned { get; init; }

    /// <summary>The schema of all other members. Null: they are refused.</summary>
    public required JsonSchema? Others { get; init; }

    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            return;
        }

        foreach (var member in value.EnumerateObject())
        {
            // A member without a schema is a step too.
            if (!check.Step(CostOf(JsonMarshal.GetRawUtf8PropertyName(member).Length)))
            {
                return;
            }

            CheckMember(member, at.Below(member.Name), check);
        }
    }

    /// <summary>The cost of one name: it may be as long as a payload, and each pattern reads it.</summary>
    private long CostOf(int nameLength) => PayloadCheck.CostOf(nameLength) + Patterned.Sum(one => one.Pattern.CostOf(nameLength));

    public override void Describe(Shape shape)
    {
        foreach ((var name, var schema) in Named)
        {
            shape.Members[name] = schema;
        }
    }

    private void CheckMember(JsonProperty member, PayloadPath at, PayloadCheck check)
    {
        var isKnown = Named.TryGetValue(member.Name, out var named);
        named?.Check(member.Value, at, check);
        foreach ((var pattern, var schema) in Patterned)
        {
            if (pattern.IsIn(member.Name))
            {
                isKnown = true;
                schema.Check(member.Value, at, check);
            }
        }

        if (isKnown)
        {
            return;
        }

        if (Others is null)
        {
            Refuse(member.Name, at, check);
        }

        Others?.Check(member.Value, at, check);
    }

    private void Refuse(string name, PayloadPath at, PayloadCheck check)
    {
        if (check.IsQuiet)
        {
            check.Add(at, "", "", "");
            return;
        }

        string[] known = [.. Named.Keys.Order(StringComparer.Ordinal)];
        var names = string.Join(", ", known.Concat(Patterned.Select(one => $"names that fit {one.Pattern}")));
        var nearest = Nearest.To(Excerpt.Of(name, MaxNameLength), known);
        check.Add(
            at,
            "a member that is not known",
            names.Length == 0 ? "none" : Excerpt.Of(names, MaxListLength),
            nearest is null ? "remove it." : $"did you mean '{nearest}'?"
        );
    }
}

/// <summary><c>required</c>.</summary>
internal sealed class HasMembers(IReadOnlyList<string> names) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        // Each name is searched among all members.
        if (value.ValueKind != JsonValueKind.Object || !check.Step(names.Count * PayloadCheck.CostOf(value.GetPropertyCount())))
        {
            return;
        }

        foreach (var name in names)
        {
            if (!value.TryGetProperty(name, out _))
            {
                check.Add(at.Below(name), "nothing", "a value, because it is required", $"add '{name}'.");
            }
        }
    }

    public override void Describe(Shape shape) => shape.Required.AddRange(names);
}

/// <summary><c>items</c>: every item fits.</summary>
internal sealed class ItemsFit(JsonSchema items) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            return;
        }

        var index = 0;
        foreach (var item in value.EnumerateArray())
        {
            if (!check.Step())
            {
                return;
            }

            items.Check(item, at.Below(index.ToString(CultureInfo.InvariantCulture)), check);
            index++;
        }
    }

    public override void Describe(Shape shape) => shape.Items = items;
}

/// <summary>
/// <c>uniqueItems</c>, for lists of at most <see cref="MaxCount"/> items. It compares all pairs; <c>maxItems</c> refuses longer lists.
/// </summary>
internal sealed class ItemsDiffer : Keyword
{
    public const int MaxCount = 256;

    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        var count = value.ValueKind == JsonValueKind.Array ? value.GetArrayLength() : 0;
        if (count > MaxCount || !check.Step((count * count / 2) + PayloadCheck.CostOf((long)count * PayloadCheck.SizeOf(value))))
        {
            return;
        }

        JsonElement[] items = count == 0 ? [] : [.. value.EnumerateArray()];
        for (var i = 1; i < count; i++)
        {
            if (items.Take(i).Any(earlier => JsonElement.DeepEquals(earlier, items[i])))
            {
                check.Add(
                    at.Below(i.ToString(CultureInfo.InvariantCulture)),
                    "an item that is there already",
                    "each item once",
                    "remove it."
                );
            }
        }
    }
}
