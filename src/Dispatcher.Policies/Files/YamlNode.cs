using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Files;

internal enum NodeKind
{
    Text,
    List,
    Map,

    /// <summary>An error is already reported; readers skip the node.</summary>
    Broken,
}

/// <summary>A YAML value with its file and line.</summary>
internal sealed record YamlNode(NodeKind Kind, string Where)
{
    public string Text { get; init; } = "";

    /// <summary>Neither quoted nor a block, so that YAML may read it as a boolean, a number or null.</summary>
    public bool IsPlain { get; init; }

    /// <summary>False: a part could not be read or was left out, which is reported.</summary>
    public bool IsWhole { get; init; }

    /// <summary>All texts in the node except keys.</summary>
    public IEnumerable<string> Texts() =>
        Kind == NodeKind.Text ? [Text] : Items.Concat(Entries.Select(entry => entry.Value)).SelectMany(node => node.Texts());

    public IReadOnlyList<YamlNode> Items { get; init; } = [];

    public IReadOnlyList<YamlEntry> Entries { get; init; } = [];

    public YamlNode? Get(string key)
    {
        foreach (var entry in Entries)
        {
            if (entry.Key.Text == key)
            {
                return entry.Value;
            }
        }

        return null;
    }

    /// <summary>Hashes the content, independent of places, comments, quotes and the order of keys.</summary>
    public void AddTo(CanonicalHash hash)
    {
        hash.Add((long)Kind);
        hash.Add(Text);
        hash.Add((long)Items.Count);
        foreach (var item in Items)
        {
            item.AddTo(hash);
        }

        hash.Add((long)Entries.Count);
        foreach (var entry in Entries.OrderBy(entry => entry.Key.Text, StringComparer.Ordinal))
        {
            hash.Add(entry.Key.Text);
            entry.Value.AddTo(hash);
        }
    }
}

internal sealed record YamlEntry(YamlNode Key, YamlNode Value);
