namespace Dispatcher.Policies.Files;

/// <summary>The kinds of files in a bundle, by path.</summary>
internal static class BundlePaths
{
    public const string Topics = "topics.yaml";
    public const string Schemas = "schemas/";
    public const string Allowed = "topics.yaml, rules/*.yaml, cases/*.yaml, schemas/*.json (in lower case, not in subfolders)";

    public static bool IsRules(string path) => IsIn("rules/", ".yaml", path);

    public static bool IsSchema(string path) =>
        path.StartsWith(Schemas, StringComparison.Ordinal) && Patterns.SchemaFileName().IsMatch(path.AsSpan(Schemas.Length));

    public static bool IsCase(string path) => IsIn("cases/", ".yaml", path);

    public static bool IsKnown(string path) => path == Topics || IsRules(path) || IsCase(path) || IsSchema(path);

    private static bool IsIn(string folder, string extension, string path) =>
        path.StartsWith(folder, StringComparison.Ordinal)
        && path.EndsWith(extension, StringComparison.Ordinal)
        && path.Length > folder.Length + extension.Length
        && path.IndexOf('/', folder.Length) < 0;
}
