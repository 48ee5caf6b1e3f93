using System.Collections.Frozen;
using System.Text.RegularExpressions;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Files;

/// <summary>A mapping with a fixed set of keys, for example a rule or a topic.</summary>
internal sealed class Fields
{
    private readonly YamlNode _node;
    private readonly string _what;
    private readonly List<YamlEntry> _entries;
    private readonly List<string> _missing = [];

    private Fields(YamlNode node, string what, List<YamlEntry> entries, ErrorList errors)
    {
        _node = node;
        _what = what;
        _entries = entries;
        Errors = errors;
    }

    public ErrorList Errors { get; }

    /// <summary>The entries with a known key; a misspelt key is already corrected.</summary>
    public IReadOnlyList<YamlEntry> Entries => _entries;

    /// <summary>The keys without a reliable value: the value has an error, the key occurs twice, or it is required and missing.</summary>
    public FrozenSet<string> Broken =>
        [.. _entries.Where(entry => Errors.IsBroken(entry.Value)).Select(entry => entry.Key.Text), .. _missing];

    /// <summary>Reads a mapping and reports every unknown key. Null: the node is not a mapping, which is reported.</summary>
    public static Fields? Of(YamlNode node, string what, ErrorList errors, params string[] known) =>
        OfNames(node, what, BundleErrorCodes.UnknownKey, $"key in {what}", known, errors);

    /// <summary>As <see cref="Of"/>, with the given error code, and with the given word for a key in error texts.</summary>
    public static Fields? OfNames(YamlNode node, string what, string code, string word, IReadOnlyList<string> known, ErrorList errors) =>
        IsMap(node, what, errors, known) ? new Fields(node, what, Known(node, what, code, word, known, errors), errors) : null;

    /// <summary>The entries of a mapping whose keys are free names. A node that is not a mapping is reported and has no entries.</summary>
    public static IReadOnlyList<YamlEntry> Named(YamlNode? node, string what, ErrorList errors) =>
        node is not null && IsMap(node, what, errors, []) ? node.Entries : [];

    public YamlNode? Get(string key) => _entries.Find(entry => entry.Key.Text == key)?.Value;

    public YamlNode? Need(string key)
    {
        if (Get(key) is { } value)
        {
            return value;
        }

        _missing.Add(key);
        Errors.Add(_node, BundleErrorCodes.MissingKey, $"{_what} has no '{key}'; it is required.", $"add '{key}'.");
        return null;
    }

    public string? Text(string key) => Get(key) is { } node ? Scalars.Text(node, key, Errors) : null;

    public string? NeedText(string key, Regex pattern, string allowed) =>
        Need(key) is { } node ? Scalars.Text(node, key, pattern, allowed, Errors) : null;

    /// <summary>One of a few words. The first is the default.</summary>
    public string Word(string key, params string[] words)
    {
        if (Get(key) is not { } node || Scalars.Text(node, key, Errors) is not { } text)
        {
            return words[0];
        }

        return words.Contains(text, StringComparer.Ordinal)
            ? text
            : Errors.AddUnknown(node, BundleErrorCodes.BadValue, key, words) ?? words[0];
    }

    public bool Flag(string key) => Get(key) is { } node && Scalars.Flag(node, key, Errors);

    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan least, TimeSpan most) =>
        (Get(key) is { } node ? Scalars.Duration(node, key, least, most, Errors) : null) ?? fallback;

    /// <summary>A list of texts, sorted and without duplicates. Null: the key is missing.</summary>
    public IReadOnlyList<string>? Set(string key) => Get(key) is { } node ? Lists.Set(node, key, Errors) : null;

    /// <summary>
    /// The entries with a known key. Any other key is reported. If its intended meaning can be determined, the entry is kept under the
    /// right key: the bundle does not load, but its other mistakes are found.
    /// </summary>
    private static List<YamlEntry> Known(
        YamlNode node,
        string what,
        string code,
        string word,
        IReadOnlyList<string> known,
        ErrorList errors
    )
    {
        var entries = node.Entries.ToLookup(entry => known.Contains(entry.Key.Text, StringComparer.Ordinal));
        List<YamlEntry> taken = [.. entries[true]];
        foreach (var entry in entries[false])
        {
            if (Meant(entry, what, code, word, known, errors) is { } meant && !taken.Exists(other => other.Key.Text == meant.Key.Text))
            {
                taken.Add(meant);
            }
        }

        return taken;
    }

    private static YamlEntry? Meant(YamlEntry entry, string what, string code, string word, IReadOnlyList<string> known, ErrorList errors)
    {
        var key = entry.Key;
        var glued = KeyHints.Glued(key.Text, known);
        var place = KeyHints.Place(key.Text, what, known);
        var nearest = glued is null && place is null ? Nearest.To(key.Text, known) : null;
        var fix = glued is not null
            ? $"write a space after the colon: {glued}: {key.Text[(glued.Length + 1)..]}"
            : place ?? (nearest is null ? "rename it to one of these, or remove it." : $"did you mean '{nearest}'?");
        errors.AddUnknown(key, code, word, known, glued ?? nearest, fix);
        if (glued is not null)
        {
            return new YamlEntry(key with { Text = glued }, key with { Text = key.Text[(glued.Length + 1)..] });
        }

        return nearest is null ? null : entry with { Key = key with { Text = nearest } };
    }

    private static bool IsMap(YamlNode node, string what, ErrorList errors, IReadOnlyList<string> known)
    {
        if (node.Kind is not (NodeKind.Map or NodeKind.Broken))
        {
            var fix =
                node.Kind == NodeKind.Text && KeyHints.Glued(node.Text, known) is { } glued
                    ? $"write a space after the colon: {glued}: …"
                    : "write it as key: value.";
            errors.Add(node, BundleErrorCodes.WrongKind, $"{what} is {Scalars.Kind(node)}; allowed: a mapping.", fix);
        }

        return node.Kind == NodeKind.Map;
    }
}
