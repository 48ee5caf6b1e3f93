using System.Text.Json;
using Dispatcher.Policies.Evaluating;

namespace Dispatcher.Policies.Loading;

/// <summary>What the files say, ready to be used if there was no error.</summary>
internal sealed record BundleContent(IReadOnlyList<CompiledTopic> Topics, IReadOnlyList<Pool> Pools, IReadOnlyDictionary<string, ReadOnlyMemory<byte>> Schemas);

/// <summary>Reads all files of a bundle and brings rules and topics together.</summary>
internal static class BundleReader
{
    public static BundleContent Read(IReadOnlyList<BundleFile> files, ErrorList errors)
    {
        List<BundleFile> sorted = [.. files.OrderBy(file => file.Path, StringComparer.Ordinal)];
        CheckPaths(sorted, errors);

        RulesReader rules = new(errors);
        foreach (BundleFile file in sorted.Where(file => BundlePaths.IsRules(file.Path)))
        {
            rules.Read(file);
        }

        Dictionary<string, ReadOnlyMemory<byte>> schemas = ReadSchemas(sorted, errors);
        TopicsReader topics = new(errors);
        if (sorted.Find(file => file.Path == BundlePaths.Topics) is { } registry && topics.Read(registry))
        {
            CheckSchemaTopics(schemas.Keys, topics.Topics, errors);
        }

        return new BundleContent([.. topics.Topics.Select(topic => topic with { Rules = rules.For(topic.JobClass.Topic) })], topics.Pools, schemas);
    }

    private static void CheckPaths(List<BundleFile> sorted, ErrorList errors)
    {
        foreach (BundleFile file in sorted.Where(file => !BundlePaths.IsKnown(file.Path)))
        {
            errors.Add(
                file.Path, BundleErrorCodes.UnknownFile,
                $"no part of a bundle has this name; allowed: {BundlePaths.Allowed}.",
                "rename or remove it.");
        }

        foreach (IGrouping<string, BundleFile> same in sorted.GroupBy(file => file.Path, StringComparer.Ordinal).Where(same => same.Count() > 1))
        {
            errors.Add(same.Key, BundleErrorCodes.UnknownFile, $"the path is there {same.Count()} times; allowed: once.", "remove the others.");
        }

        if (!sorted.Exists(file => file.Path == BundlePaths.Topics))
        {
            errors.Add(
                BundlePaths.Topics, BundleErrorCodes.MissingFile,
                "the registry of topics is missing; without it no topic is known.",
                "add topics.yaml.");
        }

        if (!sorted.Exists(file => BundlePaths.IsRules(file.Path)))
        {
            errors.Add(
                "rules/", BundleErrorCodes.MissingFile,
                "there is no rules/*.yaml; without a rule everything is denied.",
                "add a file; 'rules: []' says that none is meant.");
        }
    }

    private static Dictionary<string, ReadOnlyMemory<byte>> ReadSchemas(List<BundleFile> sorted, ErrorList errors)
    {
        Dictionary<string, ReadOnlyMemory<byte>> schemas = new(StringComparer.Ordinal);
        foreach (BundleFile file in sorted.Where(file => BundlePaths.IsSchema(file.Path)))
        {
            schemas[BundlePaths.SchemaTopic(file.Path)] = file.Content;
            CheckJson(file, errors);
        }

        return schemas;
    }

    private static void CheckJson(BundleFile file, ErrorList errors)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(file.Content, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (JsonException error)
        {
            errors.Add($"{file.Path}:{error.LineNumber + 1 ?? 1}", BundleErrorCodes.BadJson, $"this is no JSON: {error.Message}", "correct it.");
        }
    }

    private static void CheckSchemaTopics(IEnumerable<string> schemas, IReadOnlyList<CompiledTopic> topics, ErrorList errors)
    {
        List<string> known = [.. topics.Select(topic => topic.JobClass.Topic)];
        foreach (string schema in schemas.Where(schema => !known.Contains(schema, StringComparer.Ordinal)))
        {
            YamlNode at = new(NodeKind.Text, $"schemas/{schema}.json") { Text = schema };
            errors.AddUnknown(at, BundleErrorCodes.UnknownTopic, "topic", known);
        }
    }
}
