using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Schemas;

/// <summary>The schemas of a bundle by file name, and their use by topics.</summary>
internal sealed class SchemaFolder(ErrorList errors)
{
    private readonly SortedDictionary<string, PayloadSchema?> _schemas = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public void Read(BundleFile file) => _schemas[file.Path[BundlePaths.Schemas.Length..]] = SchemaFile.Read(file, errors);

    /// <summary>The schema that a topic names. Null: it does not exist or has errors, which is reported.</summary>
    public PayloadSchema? Named(YamlNode name)
    {
        var file = _schemas.ContainsKey(name.Text)
            ? name.Text
            : errors.AddUnknown(
                name,
                BundleErrorCodes.UnknownSchema,
                "schema",
                [.. _schemas.Keys],
                "write one of these, or add the file to schemas/."
            );
        _used.Add(file ?? name.Text);
        return file is null ? null : _schemas[file];
    }

    /// <summary>Marks every schema as used that an unreadable text names.</summary>
    public void MarkUsedIn(string text) => _used.UnionWith(_schemas.Keys.Where(name => text.Contains(name, StringComparison.Ordinal)));

    /// <summary>Reports schemas that no topic names: their author expects payloads to be checked.</summary>
    public void ReportUnused()
    {
        foreach (var name in _schemas.Keys.Where(name => !_used.Contains(name)))
        {
            errors.Add(
                BundlePaths.Schemas + name,
                BundleErrorCodes.UnusedSchema,
                "no topic names this schema, so it checks nothing; allowed: schemas that a topic names.",
                $"add 'schema: {name}' to the topic in topics.yaml, or remove the file."
            );
        }
    }
}
