namespace Dispatcher.Policies.Loading;

/// <summary>Which file is what.</summary>
internal static class BundlePaths
{
    public const string Topics = "topics.yaml";
    public const string Allowed = "topics.yaml, rules/*.yaml, schemas/*.json, cases/*.yaml";

    public static bool IsRules(string path) => IsIn("rules/", ".yaml", path);

    public static bool IsSchema(string path) => IsIn("schemas/", ".json", path);

    public static bool IsCase(string path) => IsIn("cases/", ".yaml", path);

    public static bool IsKnown(string path) => path == Topics || IsRules(path) || IsSchema(path) || IsCase(path);

    /// <summary>The topic that a schema is for.</summary>
    public static string SchemaTopic(string path) => path["schemas/".Length..^".json".Length];

    private static bool IsIn(string folder, string extension, string path) =>
        path.StartsWith(folder, StringComparison.Ordinal) && path.EndsWith(extension, StringComparison.Ordinal) && path.Length > folder.Length + extension.Length;
}
