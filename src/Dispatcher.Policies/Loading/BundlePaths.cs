namespace Dispatcher.Policies.Loading;

/// <summary>Which file is what.</summary>
internal static class BundlePaths
{
    public const string Topics = "topics.yaml";
    public const string Allowed = "topics.yaml, rules/*.yaml, cases/*.yaml";

    public static bool IsRules(string path) => IsIn("rules/", ".yaml", path);

    /// <summary>Whatever its ending: who puts a file there expects payloads to be checked.</summary>
    public static bool IsSchema(string path) => path.StartsWith("schemas/", StringComparison.Ordinal);

    public static bool IsCase(string path) => IsIn("cases/", ".yaml", path);

    public static bool IsKnown(string path) => path == Topics || IsRules(path) || IsCase(path);

    private static bool IsIn(string folder, string extension, string path) =>
        path.StartsWith(folder, StringComparison.Ordinal) && path.EndsWith(extension, StringComparison.Ordinal) && path.Length > folder.Length + extension.Length;
}
