using System.IO.Enumeration;

namespace Dispatcher.Policies.Files;

/// <summary>Reads the files of a bundle from a folder: the only I/O of this project.</summary>
public static class BundleFolder
{
    /// <summary>The maximum number of files: the folder is read every second.</summary>
    private const int MaxFiles = 1_000;

    private const long MaxBytes = 64 * 1024 * 1024;

    private static readonly string[] Parts = ["rules", "schemas", "cases"];

    // Hidden files are skipped: a mounted config map repeats its files under ..data.
    private static readonly EnumerationOptions Recursive = new()
    {
        RecurseSubdirectories = true,
        MaxRecursionDepth = 8,
        IgnoreInaccessible = false,
        AttributesToSkip = FileAttributes.Hidden,
    };
    private static readonly EnumerationOptions TopLevel = new() { IgnoreInaccessible = false, AttributesToSkip = FileAttributes.Hidden };

    /// <summary>
    /// Reads <c>topics.yaml</c> and all files in <c>rules/</c>, <c>schemas/</c> and <c>cases/</c>, sorted by path. Files with a wrong name
    /// are included, and loading reports them: if they were skipped, a DENY in <c>rules/Deny.YAML</c>, <c>rules/deny.yml</c> or
    /// <c>Rules/deny.yaml</c> would be lost. Only files of editors are skipped: hidden files and folders, and names that end with <c>~</c>
    /// or stand between two <c>#</c>. A missing folder, or one without such files, gives an empty list. Only regular files are read, at
    /// most 1,000 and 64 MiB together; a file that is too large is cut after its limit. A symbolic link may lead to a file of the same
    /// folder.
    /// </summary>
    /// <exception cref="IOException">A file or folder exists but cannot be read, or is not a regular file; the message names
    /// it.</exception>
    /// <exception cref="UnauthorizedAccessException">The permissions of a file or folder forbid reading it.</exception>
    public static IReadOnlyList<BundleFile> Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        List<string> paths = [.. Directory.EnumerateFiles(folder, "*", TopLevel).Where(IsRegistry)];
        foreach (var part in Directory.EnumerateDirectories(folder, "*", TopLevel).Where(IsPart))
        {
            paths.AddRange(FilesOf(part).Take(MaxFiles + 1));
        }

        if (paths.Count > MaxFiles)
        {
            throw new IOException($"the policy folder has more than {MaxFiles} files; put more rules into each file.");
        }

        return Read(folder, paths);
    }

    private static List<BundleFile> Read(string folder, List<string> paths)
    {
        var root = RegularFile.RealPath(folder, folder);
        List<BundleFile> files = [];
        long bytes = 0;
        var names = paths.Select(path => Path.GetRelativePath(folder, path).Replace(Path.DirectorySeparatorChar, '/'));
        foreach (var name in names.Order(StringComparer.Ordinal))
        {
            files.Add(new BundleFile(name, RegularFile.Read(Path.Combine(folder, name), name, root)));
            bytes += files[^1].Content.Length;
            if (bytes > MaxBytes)
            {
                throw new IOException(
                    $"the files up to {name} have more than {MaxBytes >> 20} MiB together; remove files that are not policies."
                );
            }
        }

        return files;
    }

    /// <summary>Lists a link to a folder like a file, and reading it then fails: following links among folders could be endless.</summary>
    private static FileSystemEnumerable<string> FilesOf(string part) =>
        new(part, (ref FileSystemEntry entry) => entry.ToFullPath(), Recursive)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) =>
                (!entry.IsDirectory || IsLink(ref entry)) && !IsOfEditor(entry.FileName),
            ShouldRecursePredicate = (ref FileSystemEntry entry) => !IsLink(ref entry),
        };

    private static bool IsLink(ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) != 0;

    private static bool IsRegistry(string path) =>
        Path.GetFileName(path) is var name
        && (
            name.Equals("topics.yaml", StringComparison.OrdinalIgnoreCase) || name.Equals("topics.yml", StringComparison.OrdinalIgnoreCase)
        );

    private static bool IsPart(string path) => Parts.Contains(Path.GetFileName(path), StringComparer.OrdinalIgnoreCase);

    private static bool IsOfEditor(ReadOnlySpan<char> name) => name.EndsWith('~') || (name.StartsWith('#') && name.EndsWith('#'));
}
