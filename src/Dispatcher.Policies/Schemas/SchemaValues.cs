using System.Text.Json;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>Reads the values of schema keywords. Each method adds an error if the value has another kind.</summary>
internal sealed class SchemaValues(SchemaFile file)
{
    private const int MaxExponent = 400;

    public static string Show(JsonElement value) => Excerpt.Of(value.GetRawText(), 64);

    public bool IsKind(JsonElement value, JsonValueKind kind, string what)
    {
        if (value.ValueKind == kind)
        {
            return true;
        }

        Refuse(
            value,
            what,
            kind == JsonValueKind.Object ? "an object"
                : kind == JsonValueKind.Array ? "a list"
                : "a text"
        );
        return false;
    }

    /// <param name="node">The expected schema.</param>
    /// <param name="orFlag">Whether true and false are also allowed as schemas.</param>
    public bool IsSchema(JsonElement node, bool orFlag)
    {
        if (node.ValueKind == JsonValueKind.Object)
        {
            return true;
        }

        Refuse(node, "a schema", orFlag ? "an object, true or false" : "an object");
        return false;
    }

    private void Refuse(JsonElement value, string what, string allowed) =>
        file.Report(value, BundleErrorCodes.WrongKind, $"{what} is {Show(value)}; allowed: {allowed}.", $"write {allowed}.");

    /// <summary>A list of at least one item.</summary>
    public IReadOnlyList<JsonElement> Items(JsonElement value, string what)
    {
        if (!IsKind(value, JsonValueKind.Array, what))
        {
            return [];
        }

        if (value.GetArrayLength() == 0)
        {
            file.Report(
                value,
                BundleErrorCodes.Empty,
                $"{what} is an empty list; allowed: at least one item.",
                "add one or remove the key."
            );
        }

        return [.. value.EnumerateArray()];
    }

    public IReadOnlyList<string> Names(JsonElement value, string what) =>
        [.. Items(value, what).Where(name => IsKind(name, JsonValueKind.String, $"an item of {what}")).Select(name => name.GetString()!)];

    public IReadOnlyList<string> Types(JsonElement value)
    {
        var given = value.ValueKind == JsonValueKind.String ? [value] : Items(value, "type");
        foreach (
            var type in given.Where(type =>
                type.ValueKind != JsonValueKind.String || !TypeIsAnyOf.All.Contains(type.GetString()!, StringComparer.Ordinal)
            )
        )
        {
            file.Report(
                type,
                BundleErrorCodes.BadValue,
                $"type is {Show(type)}; allowed: {string.Join(", ", TypeIsAnyOf.All)}.",
                "write one of these."
            );
        }

        return [.. given.Where(type => type.ValueKind == JsonValueKind.String).Select(type => type.GetString()!)];
    }

    public SchemaPattern? Pattern(JsonElement value) =>
        IsKind(value, JsonValueKind.String, "pattern")
            ? Compile(value.GetString()!, (code, message, fix) => file.Report(value, code, message, fix))
            : null;

    /// <summary>A name under <c>patternProperties</c>.</summary>
    public SchemaPattern? Pattern(JsonProperty entry) =>
        Compile(entry.Name, (code, message, fix) => file.Report(entry, code, message, fix));

    public SizeLimit? Size(JsonProperty member, JsonValueKind kind)
    {
        if (member.Value.ValueKind == JsonValueKind.Number && member.Value.TryGetInt32(out var limit) && limit >= 0)
        {
            return new SizeLimit(kind, isMost: IsMost(member), limit);
        }

        file.Report(
            member,
            BundleErrorCodes.BadValue,
            $"{member.Name} is {Show(member.Value)}; allowed: a whole number from 0 to {int.MaxValue}.",
            "write such a number."
        );
        return null;
    }

    public NumberLimit? Number(JsonProperty member)
    {
        if (member.Value.ValueKind == JsonValueKind.Number && Math.Abs(JsonNumber.Of(member.Value).Exponent) <= MaxExponent)
        {
            return new NumberLimit(
                member.Value.Clone(),
                IsMost(member),
                isExclusive: member.Name.StartsWith("exclusive", StringComparison.Ordinal)
            );
        }

        file.Report(
            member,
            BundleErrorCodes.BadValue,
            $"{member.Name} is {Show(member.Value)}; allowed: a number from -1e{MaxExponent} to 1e{MaxExponent}.",
            "write such a number."
        );
        return null;
    }

    public ItemsDiffer? Unique(JsonProperty member, JsonElement node)
    {
        if (member.Value.ValueKind != JsonValueKind.True)
        {
            file.Report(
                member,
                BundleErrorCodes.BadValue,
                $"uniqueItems is {Show(member.Value)}; allowed: true.",
                "write true or remove it."
            );
            return null;
        }

        var isShort =
            node.TryGetProperty("maxItems", out var most)
            && most.ValueKind == JsonValueKind.Number
            && most.TryGetInt32(out var limit)
            && limit <= ItemsDiffer.MaxCount;
        if (!isShort)
        {
            file.Report(
                member,
                BundleErrorCodes.BadValue,
                $"uniqueItems compares all pairs of items; allowed: beside maxItems of at most {ItemsDiffer.MaxCount}.",
                "add maxItems."
            );
        }

        return new ItemsDiffer();
    }

    private static bool IsMost(JsonProperty member) => member.Name.Contains("max", StringComparison.OrdinalIgnoreCase);

    private static SchemaPattern? Compile(string pattern, Action<string, string, string> report)
    {
        try
        {
            return pattern.Length <= SchemaPattern.MaxLength
                ? new SchemaPattern(pattern)
                : throw new NotSupportedException($"it is longer than {SchemaPattern.MaxLength} characters");
        }
        catch (Exception error) when (error is ArgumentException or NotSupportedException)
        {
            report(
                BundleErrorCodes.BadPattern,
                $"pattern '{Excerpt.Of(pattern, 64)}' cannot be used: {error.Message}; "
                    + "allowed: ECMA-262 without look-around, back references and other groups than (…) and (?:…).",
                "write it with classes, alternatives and repetitions."
            );
            return null;
        }
    }
}
