using Dispatcher.Policies.Files;

namespace Dispatcher.Policies.Schemas;

/// <summary>The schemas of a bundle by file name, and which of them a topic names.</summary>
internal sealed class SchemaFolder(ErrorList errors)
{
    private readonly SortedDictionary<string, PayloadSchema?> _schemas = new(StringComparer.Ordinal);
    private readonly HashSet<string> _used = new(StringComparer.Ordinal);

    public void Read(BundleFile file) => _schemas[file.Path[BundlePaths.Schemas.Length..]] = SchemaFile.Read(file, errors);

    /// <summary>The schema that a topic names. Null: it is not there or has errors, and that is reported.</summary>
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

    /// <summary>What a text names that is no YAML may be in use.</summary>
    public void Spare(string lost) => _used.UnionWith(_schemas.Keys.Where(name => lost.Contains(name, StringComparison.Ordinal)));

    /// <summary>Whoever put it there expects payloads to be checked.</summary>
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
