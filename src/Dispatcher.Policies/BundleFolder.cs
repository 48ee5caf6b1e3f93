namespace Dispatcher.Policies;

/// <summary>Reads a bundle's files from a folder: the only I/O in this project.</summary>
public static class BundleFolder
{
    // .yml, files in subfolders and schemas are read as well: Bundle.Load names them in an error or loads them. Left out silently, a DENY in one of them would be lost.
    private static readonly EnumerationOptions Everything = new() { RecurseSubdirectories = true, MaxRecursionDepth = 8, IgnoreInaccessible = false };

    /// <summary>
    /// <c>topics.yaml</c>, <c>rules/*.yaml</c>, <c>cases/*.yaml</c> and all of <c>schemas/</c> (also <c>.yml</c> and subfolders; not names that start with a dot),
    /// sorted by path. A missing folder or one without such files gives an empty list.
    /// </summary>
    /// <exception cref="IOException">A file or folder is there but cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">As above, by its permissions.</exception>
    public static IReadOnlyList<BundleFile> Read(string folder)
    {
        List<string> paths = [.. InFolder(folder, "", recurse: false, "topics.yaml", "topics.yml")];
        paths.AddRange(InFolder(folder, "rules", recurse: true, "*.yaml", "*.yml"));
        paths.AddRange(InFolder(folder, "schemas", recurse: true, "*"));
        paths.AddRange(InFolder(folder, "cases", recurse: true, "*.yaml", "*.yml"));
        paths.Sort(StringComparer.Ordinal);

        return [.. paths.Select(path => new BundleFile(path, File.ReadAllBytes(Path.Combine(folder, path))))];
    }

    private static IEnumerable<string> InFolder(string root, string folder, bool recurse, params string[] patterns)
    {
        string full = Path.Combine(root, folder);
        if (!Directory.Exists(full))
        {
            return [];
        }

        EnumerationOptions options = recurse ? Everything : new EnumerationOptions { IgnoreInaccessible = false };
        return patterns
            .SelectMany(pattern => Directory.EnumerateFiles(full, pattern, options))
            .Select(file => Path.GetRelativePath(root, file).Replace(Path.DirectorySeparatorChar, '/'));
    }
}
