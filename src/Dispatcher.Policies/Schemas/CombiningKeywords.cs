using System.Globalization;
using System.Text.Json;

namespace Dispatcher.Policies.Schemas;

/// <summary><c>$ref</c> to one of the file's <c>$defs</c>. Looked up late, since definitions may use each other.</summary>
internal sealed class RefersTo(IReadOnlyDictionary<string, Schema> definitions, string name) : Keyword
{
    public override void Check(JsonElement value, Place at, PayloadCheck check) => definitions[name].Check(value, at, check);
}

/// <summary><c>allOf</c>.</summary>
internal sealed class FitsAll(IReadOnlyList<Schema> schemas) : Keyword
{
    public override void Check(JsonElement value, Place at, PayloadCheck check)
    {
        foreach (Schema schema in schemas)
        {
            schema.Check(value, at, check);
        }
    }
}

/// <summary><c>anyOf</c>: at least one fits; <c>oneOf</c>: exactly one.</summary>
internal sealed class FitsSome(IReadOnlyList<Schema> schemas, bool exactlyOne) : Keyword
{
    private const int LongestReason = 200;
    private const int MostReasons = 4;

    public override void Check(JsonElement value, Place at, PayloadCheck check)
    {
        List<string> misses = [];
        int fitting = 0;
        foreach (Schema schema in schemas)
        {
            PayloadCheck attempt = check.Attempt(schema, value, at);
            if (attempt.Fits)
            {
                fitting++;
            }
            else if (misses.Count < MostReasons)
            {
                // Cut: the reason may hold those of alternatives inside the alternative.
                misses.Add(Excerpt.Of($"{attempt.First.Path} {attempt.First.Message}".TrimStart(), LongestReason));
            }
        }

        string count = schemas.Count.ToString(CultureInfo.InvariantCulture);
        if (fitting == 0)
        {
            check.Add(at, value, $"what fits one of {count} alternatives", $"correct one of: {string.Join(" or ", misses)}");
        }
        else if (exactlyOne && fitting > 1)
        {
            check.Add(at, "what fits more than one alternative", $"what fits exactly one of {count}", "remove what belongs to the others.");
        }
    }
}

/// <summary><c>not</c>.</summary>
internal sealed class FitsNot(Schema schema) : Keyword
{
    public override void Check(JsonElement value, Place at, PayloadCheck check)
    {
        if (check.Attempt(schema, value, at).Fits)
        {
            check.Add(at, value, "what does not fit the schema under 'not'", "send something else.");
        }
    }
}

/// <summary>The schema <c>false</c>: nothing fits.</summary>
internal sealed class FitsNever : Keyword
{
    public override void Check(JsonElement value, Place at, PayloadCheck check) => check.Add(at, value, "nothing", "remove it.");
}
