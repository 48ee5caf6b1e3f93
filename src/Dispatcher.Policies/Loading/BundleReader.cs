using Dispatcher.Policies.Evaluating;
using Dispatcher.Policies.Files;
using Dispatcher.Policies.Schemas;
using Dispatcher.Policies.Texts;

namespace Dispatcher.Policies.Loading;

/// <summary>Reads all files of a bundle.</summary>
internal static class BundleReader
{
    public static BundleContent Read(IReadOnlyList<BundleFile> files, ErrorList errors)
    {
        List<BundleFile> sorted = [.. files.OrderBy(file => file.Path, StringComparer.Ordinal)];
        CheckPaths(sorted, errors);

        Attributes attributes = new();
        RulesReader rules = new(attributes, errors);
        foreach (var file in sorted.Where(file => BundlePaths.IsRules(file.Path)))
        {
            rules.Read(file);
        }

        SchemaFolder schemas = new(errors);
        foreach (var file in sorted.Where(file => BundlePaths.IsSchema(file.Path)))
        {
            schemas.Read(file);
        }

        TopicsReader topics = new(errors, schemas);
        if (sorted.Find(file => file.Path == BundlePaths.Topics) is { } registry && (topics.Read(registry) || errors.Count == 0))
        {
            schemas.ReportUnused();
        }

        return new BundleContent(topics.Topics, topics.Pools, rules.Rules, attributes)
        {
            UnreadRules = rules.Unread,
            UnreadTopics = topics.UnreadTopics,
        };
    }

    private static void CheckPaths(List<BundleFile> sorted, ErrorList errors)
    {
        foreach (var file in sorted.Where(file => !BundlePaths.IsKnown(file.Path)))
        {
            errors.Add(
                file.Path,
                BundleErrorCodes.UnknownFile,
                $"this name does not belong in a bundle; allowed: {BundlePaths.Allowed}.",
                "rename or remove it."
            );
        }

        // Two names that look alike, or a name that a diff shows in another order, would hide a file from a reader.
        foreach (var file in sorted.Where(file => Excerpt.HasInvisible(file.Path)))
        {
            errors.Add(
                file.Path,
                BundleErrorCodes.InvisibleCharacter,
                "the name has an invisible character; allowed: characters that an editor shows.",
                "rename the file."
            );
        }

        foreach (var same in sorted.GroupBy(file => file.Path, StringComparer.Ordinal).Where(same => same.Count() > 1))
        {
            errors.Add(
                same.Key,
                BundleErrorCodes.UnknownFile,
                $"the path occurs {same.Count()} times; allowed: once.",
                "remove the duplicates."
            );
        }

        if (!sorted.Exists(file => file.Path == BundlePaths.Topics))
        {
            errors.Add(
                BundlePaths.Topics,
                BundleErrorCodes.MissingFile,
                "the registry of topics is missing, so every job would be denied; required: topics.yaml.",
                "add topics.yaml."
            );
        }

        if (!sorted.Exists(file => BundlePaths.IsRules(file.Path)))
        {
            errors.Add(
                "rules/",
                BundleErrorCodes.MissingFile,
                "no file rules/*.yaml exists, so every job would be denied; required: at least one.",
                "add a file; if no rule is intended, write 'rules: []'."
            );
        }
    }
}
