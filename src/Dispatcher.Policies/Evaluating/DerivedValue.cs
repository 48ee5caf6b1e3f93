using System.Globalization;
using System.Text.Json;
using Dispatcher.Policies.Model;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Evaluating;

/// <summary>Derives the value of a label from the payload.</summary>
internal static class DerivedValue
{
    /// <summary>
    /// The value of the first row that matches, else the default. Null: the path is missing or leads to another type, the text lacks the
    /// selected part, or no row matches.
    /// </summary>
    public static string? Of(JsonElement payload, Derivation derivation)
    {
        if (At(payload, derivation.Path) is not { } element || Elements(element, derivation) is not { } elements)
        {
            return null;
        }

        foreach (var row in derivation.Table)
        {
            if (Fits(row, elements))
            {
                return row.Value;
            }
        }

        return derivation.Default;
    }

    private static bool Fits(DerivationRow row, List<string> elements) =>
        row.Fit switch
        {
            RowComparison.Exact => elements.SequenceEqual(row.Elements, StringComparer.Ordinal),
            RowComparison.Prefix => elements.Take(row.Elements.Count).SequenceEqual(row.Elements, StringComparer.Ordinal),
            RowComparison.Suffix => elements.TakeLast(row.Elements.Count).SequenceEqual(row.Elements, StringComparer.Ordinal),
            RowComparison.StartsWith => elements[0].StartsWith(row.Elements[0], StringComparison.Ordinal),
            RowComparison.EndsWith => elements[0].EndsWith(row.Elements[0], StringComparison.Ordinal),
        };

    private static JsonElement? At(JsonElement element, string pointer)
    {
        foreach (var token in pointer.Split('/').Skip(1))
        {
            var name = token.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal);
            if (Child(element, name) is not { } child)
            {
                return null;
            }

            element = child;
        }

        return element;
    }

    private static JsonElement? Child(JsonElement element, string name)
    {
        if (element.ValueKind == JsonValueKind.Object)
        {
            return element.TryGetProperty(name, out var child) ? child : null;
        }

        var isIndex = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index);
        return element.ValueKind == JsonValueKind.Array && isIndex && index < element.GetArrayLength() ? element[index] : null;
    }

    private static List<string>? Elements(JsonElement element, Derivation derivation)
    {
        if (element.ValueKind == JsonValueKind.String)
        {
            var whole = element.GetString()!;
            if (derivation.NeedsText && Excerpt.HasInvisible(whole))
            {
                // With a line break or similar, the end of the text for a reader or the called program is unknown.
                return null;
            }

            var text = derivation.Part is null ? whole : derivation.Part.Of(whole);
            return text is null ? null : [text];
        }

        var isList =
            !derivation.NeedsText
            && element.ValueKind == JsonValueKind.Array
            && element.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String);
        return isList ? [.. element.EnumerateArray().Select(item => item.GetString()!)] : null;
    }
}
