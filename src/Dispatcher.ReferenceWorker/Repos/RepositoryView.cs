using System.Text;
using System.Text.RegularExpressions;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Repos;

/// <summary>
/// A private git folder that represents a repository directly below the allowed root: a copy of its HEAD and refs, and a fixed
/// configuration. Only the objects are read in place. Git sees nothing else of the repository (configuration, hooks, attributes, grafts,
/// worktrees, <c>commondir</c>).
/// </summary>
/// <remarks>
/// The copied files are read by descriptors and without following links, so that concurrent changes cannot redirect them. The objects
/// are checked for links and alternates, and then git reads them by their path. A process that can write into the repository during the
/// job can still lead git to objects elsewhere, but never to other files.
/// </remarks>
internal sealed partial class RepositoryView : IDisposable
{
    private const int MaxRefs = 50_000;
    private const int MaxRefDepth = 32;
    private const int MaxRefBytes = 4_096;
    private const int MaxConfigBytes = 1 << 20;
    private const int MaxListBytes = 64 << 20;

    private int _refs;

    private RepositoryView(string folder, string objects)
    {
        Folder = folder;
        Objects = objects;
    }

    /// <summary>The private git folder.</summary>
    public string Folder { get; }

    /// <summary>The object folder of the repository.</summary>
    public string Objects { get; }

    /// <summary>
    /// Throws a terminal fault: <c>path_refused</c> unless the name is that of a folder directly below the root, <c>not_found</c> when it
    /// is not a git repository, and <c>repo_refused</c> when it leads elsewhere.
    /// </summary>
    public static RepositoryView Of(string root, string repo)
    {
        if (repo is "." or ".." || repo.Any(character => character is '/' or '\\' || char.IsControl(character)))
        {
            throw JobFaultException.Terminal(
                "path_refused",
                "'repo' must be the name of a folder directly below the allowed root, without '/' and '..'."
            );
        }

        try
        {
            using var top = OpenFolder.At(root);
            using var folder =
                top.Folder(repo) ?? throw JobFaultException.Terminal("path_refused", $"'{repo}' does not exist below the allowed root.");
            using var inside = folder.Folder(".git");
            var path = Path.Combine(root, repo, inside is null ? "" : ".git");
            return Of(inside ?? folder, Path.Combine(path, "objects"), repo);
        }
        catch (IOException exception)
        {
            throw Refused(repo, "a link or a special file in the place of a file or folder of git", exception);
        }
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    private static RepositoryView Of(OpenFolder git, string objectsPath, string repo)
    {
        using var objects = git.Folder("objects");
        using var refs = git.Folder("refs");
        if (objects is null || refs is null || git.Read("HEAD", MaxRefBytes) is not { } head)
        {
            throw JobFaultException.Terminal("not_found", $"'{repo}' is not a git repository.");
        }

        foreach (var elsewhere in (string[])["commondir", "gitdir"])
        {
            if (git.Entries.Any(entry => entry.Name == elsewhere))
            {
                throw Refused(repo, $"'{elsewhere}', which names another git folder");
            }
        }

        if (objects.Folder("info") is { } info)
        {
            using (info)
            {
                if (info.Entries.Any(entry => entry.Name.Contains("alternates", StringComparison.OrdinalIgnoreCase)))
                {
                    throw Refused(repo, "'objects/info/alternates', which names another object folder");
                }
            }
        }

        RequireFilesAndFolders(objects, MaxRefDepth, repo);
        var view = new RepositoryView(Directory.CreateTempSubdirectory("dispatcher-repo-").FullName, objectsPath);
        try
        {
            view.Write(git, refs, head, repo);
            return view;
        }
        catch
        {
            view.Dispose();
            throw;
        }
    }

    private void Write(OpenFolder git, OpenFolder refs, byte[] head, string repo)
    {
        var target = Encoding.UTF8.GetString(head).TrimEnd('\n');
        File.WriteAllText(
            Path.Combine(Folder, "HEAD"),
            Head().IsMatch(target) ? target + "\n" : throw Refused(repo, "a HEAD that names neither ref nor commit")
        );
        var config = Encoding.UTF8.GetString(git.Read("config", MaxConfigBytes) ?? []);
        if (Reftable().IsMatch(config))
        {
            throw JobFaultException.Terminal("not_found", $"'{repo}' keeps its refs in a reftable, which this worker does not read.");
        }

        File.WriteAllText(
            Path.Combine(Folder, "config"),
            Sha256().IsMatch(config)
                ? "[core]\n\trepositoryformatversion = 1\n\tbare = true\n[extensions]\n\tobjectformat = sha256\n"
                : "[core]\n\trepositoryformatversion = 0\n\tbare = true\n"
        );
        foreach (var list in (string[])["packed-refs", "shallow"])
        {
            if (git.Read(list, MaxListBytes) is { } bytes)
            {
                File.WriteAllBytes(Path.Combine(Folder, list), bytes);
            }
        }

        CopyRefs(refs, Path.Combine(Folder, "refs"), MaxRefDepth, repo);
    }

    private void CopyRefs(OpenFolder from, string to, int depth, string repo)
    {
        Directory.CreateDirectory(to);
        foreach (var entry in from.Entries)
        {
            if (depth == 0 || ++_refs > MaxRefs)
            {
                throw Refused(
                    repo,
                    $"more than {MaxRefs} loose refs, or refs more than {MaxRefDepth} folders deep: run 'git pack-refs --all' in it"
                );
            }

            if (!entry.IsFolder || entry.IsLink)
            {
                // Null: the file was removed during the copy. The open refuses a link.
                if (from.Read(entry.Name, MaxRefBytes) is { } bytes)
                {
                    File.WriteAllBytes(Path.Combine(to, entry.Name), bytes);
                }

                continue;
            }

            using var folder = from.Folder(entry.Name);
            if (folder is not null)
            {
                CopyRefs(folder, Path.Combine(to, entry.Name), depth - 1, repo);
            }
        }
    }

    private static void RequireFilesAndFolders(OpenFolder objects, int depth, string repo)
    {
        foreach (var entry in objects.Entries)
        {
            if (entry.IsLink || depth == 0)
            {
                throw Refused(repo, "a symbolic link among its objects");
            }

            // The open of a FIFO would block git until the time limit of the job.
            if (!entry.IsFolder && objects.IsSpecial(entry.Name))
            {
                throw Refused(repo, "a special file among its objects");
            }

            using var folder = entry.IsFolder ? objects.Folder(entry.Name) : null;
            if (folder is not null)
            {
                RequireFilesAndFolders(folder, depth - 1, repo);
            }
        }
    }

    private static JobFaultException Refused(string repo, string what, Exception? cause = null) =>
        JobFaultException.Terminal(
            "repo_refused",
            $"The git folder of '{repo}' has {what}. Only a repository that is complete in its own folder is read.",
            cause
        );

    [GeneratedRegex(@"\A(?:ref: refs/[^\s\p{Cc}]{1,1024}|[0-9a-f]{40}|[0-9a-f]{64})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Head();

    [GeneratedRegex(@"^\s*objectformat\s*=\s*""?sha256\b", RegexOptions.IgnoreCase | RegexOptions.Multiline)]
    private static partial Regex Sha256();

    [GeneratedRegex(@"^\s*refstorage\s*=\s*""?reftable\b", RegexOptions.IgnoreCase | RegexOptions.Multiline)]
    private static partial Regex Reftable();
}
