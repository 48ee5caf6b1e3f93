using System.Text.Json;
using Dispatcher.Policies.Loading;

namespace Dispatcher.Policies.Schemas;

/// <summary>A file's <c>$defs</c> and who refers to them. Only these can be referred to: nothing is ever fetched.</summary>
internal sealed class SchemaDefinitions(SchemaFile file)
{
    public const string Key = "$defs";

    private const string Prefix = "#/$defs/";

    private readonly Dictionary<string, Schema> _schemas = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _uses = new(StringComparer.Ordinal);
    private JsonProperty[] _entries = [];
    private List<string>? _usedHere;

    public void Find()
    {
        bool isThere = file.Root.ValueKind == JsonValueKind.Object && file.Root.TryGetProperty(Key, out _);
        if (isThere && new SchemaValues(file).IsKind(file.Root.GetProperty(Key), JsonValueKind.Object, Key))
        {
            _entries = [.. file.Root.GetProperty(Key).EnumerateObject()];
        }
    }

    public void ReadAll(Func<JsonElement, Schema> read)
    {
        foreach (JsonProperty entry in _entries)
        {
            _usedHere = _uses[entry.Name] = [];
            _schemas[entry.Name] = read(entry.Value);
        }

        foreach (JsonProperty entry in _entries.Where(entry => Reaches(entry.Name, entry.Name, [])))
        {
            file.Report(
                entry, BundleErrorCodes.BadValue,
                $"definition '{entry.Name}' refers to itself for the same value, so that checking would never end; allowed: through properties or items.",
                "break the circle.");
        }
    }

    /// <summary>Reads what is about a value inside the value: there a definition may refer to itself.</summary>
    public T Deeper<T>(Func<T> read)
    {
        List<string>? outer = _usedHere;
        _usedHere = null;
        T result = read();
        _usedHere = outer;
        return result;
    }

    public RefersTo? Refer(JsonElement value)
    {
        string text = value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        string name = text.StartsWith(Prefix, StringComparison.Ordinal) ? text[Prefix.Length..] : "";
        if (!_entries.Any(entry => entry.Name == name))
        {
            string known = _entries.Length == 0 ? "none, there are no $defs" : string.Join(", ", _entries.Select(entry => Prefix + entry.Name));
            string? nearest = Nearest.To(text, [.. _entries.Select(entry => Prefix + entry.Name)]);
            file.Report(
                value, BundleErrorCodes.BadValue,
                $"$ref is {SchemaValues.Show(value)}; allowed: {known}.",
                nearest is null ? "define it under $defs of this file." : $"did you mean '{nearest}'?");
            return null;
        }

        _usedHere?.Add(name);
        return new RefersTo(_schemas, name);
    }

    private bool Reaches(string from, string to, HashSet<string> seen) =>
        _uses[from].Exists(next => next == to || (seen.Add(next) && Reaches(next, to, seen)));
}
