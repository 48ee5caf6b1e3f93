using System.IO.Enumeration;

namespace Dispatcher.Policies.Files;

/// <summary>Reads a bundle's files from a folder: the only I/O in this project.</summary>
public static class BundleFolder
{
    /// <summary>Most files of one folder: it is read every second.</summary>
    private const int MostFiles = 1_000;

    private const long MostBytes = 64 * 1024 * 1024;

    private static readonly string[] Parts = ["rules", "schemas", "cases"];

    // Hidden ones are not ours: a mounted config map has its files once more under ..data.
    private static readonly EnumerationOptions Everything = new()
    {
        RecurseSubdirectories = true,
        MaxRecursionDepth = 8,
        IgnoreInaccessible = false,
        AttributesToSkip = FileAttributes.Hidden,
    };
    private static readonly EnumerationOptions Here = new() { IgnoreInaccessible = false, AttributesToSkip = FileAttributes.Hidden };

    /// <summary>
    /// <c>topics.yaml</c> and whatever lies in <c>rules/</c>, <c>schemas/</c> and <c>cases/</c>, sorted by path; loading names in an error what has no
    /// right name there. Left out silently, a DENY in <c>rules/Deny.YAML</c>, <c>rules/deny.yml</c> or <c>Rules/deny.yaml</c> would be lost. Only what editors leave is
    /// left out: hidden files and folders, and names that end with <c>~</c> or stand between two <c>#</c>. A missing folder or one without such files gives an empty list.
    /// Only regular files are read: at most 1,000, of 64 MiB together, and of each no more than a part of a bundle may have. A symbolic
    /// link may lead to a file of the same folder.
    /// </summary>
    /// <exception cref="IOException">A file or folder is there but cannot be read, or is something else than a file; the message names
    /// it.</exception>
    /// <exception cref="UnauthorizedAccessException">As above, by its permissions.</exception>
    public static IReadOnlyList<BundleFile> Read(string folder)
    {
        if (!Directory.Exists(folder))
        {
            return [];
        }

        List<string> paths = [.. Directory.EnumerateFiles(folder, "*", Here).Where(IsRegistry)];
        foreach (var part in Directory.EnumerateDirectories(folder, "*", Here).Where(IsPart))
        {
            paths.AddRange(FilesOf(part).Take(MostFiles + 1));
        }

        if (paths.Count > MostFiles)
        {
            throw new IOException($"the folder has more than {MostFiles} files of policies; put more rules into each file.");
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
            if (bytes > MostBytes)
            {
                throw new IOException($"the files up to {name} have more than {MostBytes >> 20} MiB together; remove what is no policy.");
            }
        }

        return files;
    }

    /// <summary>
    /// A link to a folder is listed like a file, which reading refuses: links among folders could be followed without end.
    /// </summary>
    private static FileSystemEnumerable<string> FilesOf(string part) =>
        new(part, (ref FileSystemEntry entry) => entry.ToFullPath(), Everything)
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
