using System.Text.Json;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Payloads;

/// <summary>
/// Reads a payload member by member and collects every error; <see cref="Done"/> throws them all as one terminal fault
/// <c>bad_payload</c>. Until then a wrong or missing member reads as empty.
/// </summary>
internal sealed class PayloadReader
{
    private readonly Dictionary<string, JsonElement> _members = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _known = new(StringComparer.Ordinal);
    private readonly List<string> _errors = [];

    public PayloadReader(JsonElement payload)
    {
        if (payload.ValueKind != JsonValueKind.Object)
        {
            _errors.Add($"the payload must be an object, not {Kind(payload)}");
            return;
        }

        foreach (var member in payload.EnumerateObject())
        {
            _members[member.Name] = member.Value;
        }
    }

    public string RequiredText(string name)
    {
        var before = _errors.Count;
        var text = OptionalText(name) ?? Missing(name, "a text");
        Require(text.Length > 0 || _errors.Count > before, $"'{name}' must not be empty");
        return text;
    }

    public string? OptionalText(string name)
    {
        if (Find(name) is not { } value)
        {
            return null;
        }

        if (value.ValueKind == JsonValueKind.String)
        {
            return value.GetString();
        }

        Wrong(name, value, "a text");
        return "";
    }

    public int OptionalNumber(string name, int otherwise, int min, int max)
    {
        if (Find(name) is not { } value)
        {
            return otherwise;
        }

        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) && number >= min && number <= max)
        {
            return number;
        }

        Wrong(name, value, $"a whole number from {min} to {max}");
        return otherwise;
    }

    public IReadOnlyList<string> RequiredTexts(string name)
    {
        if (Find(name) is not { } value)
        {
            Missing(name, "a list of texts");
            return [];
        }

        if (
            value.ValueKind == JsonValueKind.Array
            && value.GetArrayLength() > 0
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
        )
        {
            return [.. value.EnumerateArray().Select(item => item.GetString()!)];
        }

        Wrong(name, value, "a list of at least one text");
        return [];
    }

    public IReadOnlyList<int> OptionalNumbers(string name)
    {
        if (Find(name) is not { } value)
        {
            return [];
        }

        if (
            value.ValueKind == JsonValueKind.Array
            && value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out _))
        )
        {
            return [.. value.EnumerateArray().Select(item => item.GetInt32())];
        }

        Wrong(name, value, "a list of whole numbers");
        return [];
    }

    public IReadOnlyDictionary<string, string> OptionalMap(string name)
    {
        Dictionary<string, string> map = new(StringComparer.Ordinal);
        if (Find(name) is not { } value)
        {
            return map;
        }

        if (
            value.ValueKind != JsonValueKind.Object
            || value.EnumerateObject().Any(member => member.Value.ValueKind != JsonValueKind.String)
        )
        {
            Wrong(name, value, "an object whose values are texts");
            return map;
        }

        foreach (var member in value.EnumerateObject())
        {
            map[member.Name] = member.Value.GetString()!;
        }

        return map;
    }

    public JsonElement? OptionalValue(string name) => Find(name);

    /// <summary>Adds an error of the handler unless the condition holds.</summary>
    public void Require(bool condition, string error)
    {
        if (!condition)
        {
            _errors.Add(error);
        }
    }

    /// <summary>Ends the reading: throws when a member was wrong, missing or unknown.</summary>
    public void Done()
    {
        var unknown = _members
            .Keys.Where(name => !_known.Contains(name))
            .Select(name => $"'{name}' is unknown (known: {string.Join(", ", _known)})");
        List<string> errors = [.. _errors, .. unknown];
        if (errors.Count > 0)
        {
            throw JobFaultException.Terminal("bad_payload", "The payload is not valid: " + string.Join("; ", errors) + ".");
        }
    }

    private JsonElement? Find(string name)
    {
        _known.Add(name);
        return _members.TryGetValue(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;
    }

    private string Missing(string name, string wanted)
    {
        _errors.Add($"'{name}' is missing; it must be {wanted}");
        return "";
    }

    private void Wrong(string name, JsonElement value, string wanted) => _errors.Add($"'{name}' must be {wanted}, not {Kind(value)}");

    private static string Kind(JsonElement value) =>
        value.ValueKind switch
        {
            JsonValueKind.Number => value.GetRawText(),
            var kind => kind.ToString().ToLowerInvariant(),
        };
}
