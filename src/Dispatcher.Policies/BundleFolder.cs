namespace Dispatcher.Policies;

/// <summary>Reads a bundle's files from a folder: the only I/O in this project.</summary>
public static class BundleFolder
{
    private static readonly string[] Parts = ["rules", "schemas", "cases"];

    // Hidden ones are not ours: a mounted config map has its files once more under ..data.
    private static readonly EnumerationOptions Everything = new() { RecurseSubdirectories = true, MaxRecursionDepth = 8, IgnoreInaccessible = false, AttributesToSkip = FileAttributes.Hidden };
    private static readonly EnumerationOptions Here = new() { IgnoreInaccessible = false, AttributesToSkip = FileAttributes.Hidden };

    /// <summary>
    /// <c>topics.yaml</c> and whatever lies in <c>rules/</c>, <c>schemas/</c> and <c>cases/</c>, sorted by path; <see cref="Bundle.Load"/> names in an error what has no
    /// right name there. Left out silently, a DENY in <c>rules/Deny.YAML</c>, <c>rules/deny.yml</c> or <c>Rules/deny.yaml</c> would be lost. Only what editors leave is
    /// left out: hidden files and folders, and names that end with <c>~</c> or stand between two <c>#</c>. A missing folder or one without such files gives an empty list.
    /// </summary>
    /// <exception cref="IOException">A file or folder is there but cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">As above, by its permissions.</exception>
    public static IReadOnlyList<BundleFile> Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        List<string> paths = [.. Directory.EnumerateFiles(folder, "*", Here).Where(IsRegistry)];
        foreach (string part in Directory.EnumerateDirectories(folder, "*", Here).Where(IsPart))
        {
            paths.AddRange(Directory.EnumerateFiles(part, "*", Everything).Where(file => !IsOfEditor(Path.GetFileName(file))));
        }

        return
        [
            .. paths.Select(path => (Name: Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'), Path: path))
                .OrderBy(file => file.Name, StringComparer.Ordinal)
                .Select(file => new BundleFile(file.Name, File.ReadAllBytes(file.Path))),
        ];
    }

    private static bool IsRegistry(string path) =>
        Path.GetFileName(path) is var name && (name.Equals("topics.yaml", StringComparison.OrdinalIgnoreCase) || name.Equals("topics.yml", StringComparison.OrdinalIgnoreCase));

    private static bool IsPart(string path) => Parts.Contains(Path.GetFileName(path), StringComparer.OrdinalIgnoreCase);

    private static bool IsOfEditor(string name) => name.EndsWith('~') || (name.StartsWith('#') && name.EndsWith('#'));
}
