using System.Text.RegularExpressions;

namespace Dispatcher.Policies.Loading;

/// <summary>A mapping with a fixed set of keys, as in a rule or a topic.</summary>
internal sealed class Fields
{
    private readonly YamlNode _node;
    private readonly string _what;

    private Fields(YamlNode node, string what, ErrorList errors)
    {
        _node = node;
        _what = what;
        Errors = errors;
    }

    public ErrorList Errors { get; }

    /// <summary>Opens a mapping and reports every key that is not known. Null: it is no mapping, and that is reported.</summary>
    public static Fields? Of(YamlNode node, string what, ErrorList errors, params string[] known)
    {
        if (!IsMap(node, what, errors))
        {
            return null;
        }

        foreach (YamlEntry entry in node.Entries.Where(entry => !known.Contains(entry.Key.Text, StringComparer.Ordinal)))
        {
            errors.AddUnknown(entry.Key, BundleErrorCodes.UnknownKey, $"key in {what}", known);
        }

        return new Fields(node, what, errors);
    }

    /// <summary>The entries of a mapping whose keys are names. A mapping that is something else is reported and has none.</summary>
    public static IReadOnlyList<YamlEntry> Named(YamlNode? node, string what, ErrorList errors) => node is not null && IsMap(node, what, errors) ? node.Entries : [];

    public YamlNode? Get(string key) => _node.Get(key);

    public YamlNode? Need(string key)
    {
        if (_node.Get(key) is { } value)
        {
            return value;
        }

        Errors.Add(_node, BundleErrorCodes.MissingKey, $"{_what} has no '{key}'; it is required.", $"add '{key}'.");
        return null;
    }

    public string? Text(string key) => Get(key) is { } node ? Scalars.Text(node, key, Errors) : null;

    public string? NeedText(string key, Regex pattern, string allowed) => Need(key) is { } node ? Scalars.Text(node, key, pattern, allowed, Errors) : null;

    /// <summary>One of a few words; the first is the default.</summary>
    public string Word(string key, params string[] words)
    {
        if (Get(key) is not { } node || Scalars.Text(node, key, Errors) is not { } text)
        {
            return words[0];
        }

        if (!words.Contains(text, StringComparer.Ordinal))
        {
            Errors.AddUnknown(node, BundleErrorCodes.BadValue, key, words);
        }

        return text;
    }

    public bool Flag(string key) => Get(key) is { } node && Scalars.Flag(node, key, Errors);

    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan least, TimeSpan most) =>
        (Get(key) is { } node ? Scalars.Duration(node, key, least, most, Errors) : null) ?? fallback;

    /// <summary>A list of texts without its doubles, sorted. Missing: null.</summary>
    public IReadOnlyList<string>? Set(string key) => Get(key) is { } node ? Lists.Set(node, key, Errors) : null;

    private static bool IsMap(YamlNode node, string what, ErrorList errors)
    {
        if (node.Kind is not (NodeKind.Map or NodeKind.Broken))
        {
            errors.Add(node, BundleErrorCodes.WrongKind, $"{what} is a {Scalars.Name(node)}; allowed: a mapping.", "write it as key: value.");
        }

        return node.Kind == NodeKind.Map;
    }
}
