using System.Text.Json;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Schemas;

/// <summary>The <c>$defs</c> of a file and the references to them. Only these can be referred to; nothing is fetched.</summary>
internal sealed class SchemaDefinitions(SchemaFile file)
{
    public const string Key = "$defs";

    private const string Prefix = "#/$defs/";

    private readonly Dictionary<string, JsonSchema> _schemas = new(StringComparer.Ordinal);
    private readonly Dictionary<string, JsonProperty> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<string>> _uses = new(StringComparer.Ordinal);
    private string[] _references = [];
    private List<string>? _usedHere;

    public void Find()
    {
        var isThere = file.Root.ValueKind == JsonValueKind.Object && file.Root.TryGetProperty(Key, out _);
        if (isThere && new SchemaValues(file).IsKind(file.Root.GetProperty(Key), JsonValueKind.Object, Key))
        {
            foreach (var entry in file.Root.GetProperty(Key).EnumerateObject())
            {
                _entries.Add(entry.Name, entry);
            }

            _references = [.. _entries.Keys.Select(name => Prefix + name)];
        }
    }

    public void ReadAll(Func<JsonElement, JsonSchema> read)
    {
        foreach ((var name, var entry) in _entries)
        {
            _usedHere = _uses[name] = [];
            _schemas[name] = read(entry.Value);
        }

        foreach (var name in Circles())
        {
            file.Report(
                _entries[name],
                BundleErrorCodes.BadValue,
                $"definition '{Excerpt.Of(name, 64)}' refers to itself for the same value, so a check would not end; "
                    + "allowed: a reference to itself below properties or items.",
                "break the circle."
            );
        }
    }

    /// <summary>Reads the schema of a nested value, in which a definition may refer to itself.</summary>
    public T Deeper<T>(Func<T> read)
    {
        var outer = _usedHere;
        _usedHere = null;
        var result = read();
        _usedHere = outer;
        return result;
    }

    public RefersTo? Refer(JsonElement value)
    {
        var text = value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        var name = text.StartsWith(Prefix, StringComparison.Ordinal) ? text[Prefix.Length..] : "";
        if (!_entries.ContainsKey(name))
        {
            var nearest = Nearest.To(text, _references);
            file.Report(
                value,
                BundleErrorCodes.BadValue,
                $"$ref is {SchemaValues.Show(value)}; allowed: "
                    + $"{(_entries.Count == 0 ? "none, there are no $defs" : ErrorList.Some(_references))}.",
                nearest is null ? "define it under $defs of this file." : $"did you mean '{nearest}'?"
            );
            return null;
        }

        _usedHere?.Add(name);
        return new RefersTo(_schemas, name);
    }

    /// <summary>
    /// One definition of each circle. Follows every reference once, and keeps its path in a list, because a chain may be as long as the
    /// file.
    /// </summary>
    private HashSet<string> Circles()
    {
        HashSet<string> circles = new(StringComparer.Ordinal);
        HashSet<string> done = new(StringComparer.Ordinal);
        HashSet<string> onTheWay = new(StringComparer.Ordinal);
        Stack<(string Name, IEnumerator<string> Uses)> way = [];
        foreach (var first in _entries.Keys)
        {
            Enter(first);
            while (way.TryPeek(out var here))
            {
                if (here.Uses.MoveNext())
                {
                    Enter(here.Uses.Current);
                }
                else
                {
                    onTheWay.Remove(way.Pop().Name);
                }
            }
        }

        return circles;

        void Enter(string name)
        {
            if (onTheWay.Contains(name))
            {
                circles.Add(name);
            }
            else if (done.Add(name))
            {
                onTheWay.Add(name);
                way.Push((name, _uses[name].GetEnumerator()));
            }
        }
    }
}
