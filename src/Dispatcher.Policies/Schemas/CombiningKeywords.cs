using System.Globalization;
using System.Text.Json;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary><c>$ref</c> to one of the file's <c>$defs</c>. Resolved late, because definitions may refer to each other.</summary>
internal sealed class RefersTo(IReadOnlyDictionary<string, JsonSchema> definitions, string name) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check) => definitions[name].Check(value, at, check);

    public override void Describe(Shape shape) => definitions[name].Describe(shape);
}

/// <summary><c>allOf</c>.</summary>
internal sealed class FitsAll(IReadOnlyList<JsonSchema> schemas) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        foreach (var schema in schemas)
        {
            schema.Check(value, at, check);
        }
    }

    public override void Describe(Shape shape)
    {
        foreach (var schema in schemas)
        {
            schema.Describe(shape);
        }
    }
}

/// <summary><c>anyOf</c>: at least one fits; <c>oneOf</c>: exactly one.</summary>
internal sealed class FitsSome(IReadOnlyList<JsonSchema> schemas, bool exactlyOne) : Keyword
{
    private const int MaxReasonLength = 200;
    private const int MaxReasons = 4;

    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        var fitting = schemas.Count(schema => check.Attempt(schema, value, at).Fits);
        var count = schemas.Count.ToString(CultureInfo.InvariantCulture);
        if (fitting == 0)
        {
            check.Add(
                at,
                value,
                $"a value that fits one of {count} alternatives",
                check.IsWhole ? $"correct one of: {Misses(value, at, check)}" : "send a value that fits one of them."
            );
        }
        else if (exactlyOne && fitting > 1)
        {
            check.Add(
                at,
                "a value that fits more than one alternative",
                $"a value that fits exactly one of {count}",
                "remove the parts that belong to the others."
            );
        }
    }

    /// <summary>The first error of each alternative, computed only if it is shown. Nested alternatives do not list theirs.</summary>
    private string Misses(JsonElement value, PayloadPath at, PayloadCheck check) =>
        string.Join(
            " or ",
            schemas
                .Take(MaxReasons)
                .Select(schema => check.Attempt(schema, value, at, isQuiet: false).First)
                .OfType<PayloadError>()
                .Select(error => Excerpt.Of($"{error.Path} {error.Message}".TrimStart(), MaxReasonLength))
        );
}

/// <summary><c>not</c>.</summary>
internal sealed class FitsNot(JsonSchema schema) : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check)
    {
        if (check.Attempt(schema, value, at).Fits)
        {
            check.Add(at, value, "a value that does not fit the schema under 'not'", "send another value.");
        }
    }
}

/// <summary>The schema <c>false</c>: no value is valid.</summary>
internal sealed class FitsNever : Keyword
{
    public override void Check(JsonElement value, PayloadPath at, PayloadCheck check) => check.Add(at, value, "nothing", "remove it.");
}
