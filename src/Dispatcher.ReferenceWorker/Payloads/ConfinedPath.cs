using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Payloads;

/// <summary>
/// A path from a payload, kept below a root: without <c>..</c>, not absolute, and not through a symbolic link that leads out.
/// </summary>
internal static class ConfinedPath
{
    private const int MaxLinks = 40;

    /// <summary>
    /// The real path. Throws a terminal fault <c>path_refused</c> when it is not below the root or does not exist.
    /// </summary>
    /// <remarks>
    /// The result holds at the moment of the call: a process that may write below the root can replace a folder by a link.
    /// </remarks>
    public static string Below(string root, string relative)
    {
        if (relative.Contains('\0', StringComparison.Ordinal) || Path.IsPathRooted(relative) || Segments(relative).Contains(".."))
        {
            throw JobFaultException.Terminal("path_refused", $"'{relative}' must be a path below the allowed root, without '..'.");
        }

        var realRoot = Real(root);
        var real = Real(Path.Combine(realRoot, relative));
        if (
            real != realRoot
            && !real.StartsWith(Path.TrimEndingDirectorySeparator(realRoot) + Path.DirectorySeparatorChar, StringComparison.Ordinal)
        )
        {
            throw JobFaultException.Terminal("path_refused", $"'{relative}' leads out of the allowed root.");
        }

        return Path.Exists(real)
            ? real
            : throw JobFaultException.Terminal("path_refused", $"'{relative}' does not exist below the allowed root.");
    }

    // Resolved step by step, as the kernel does: the target of a link may lead through further links.
    private static string Real(string path)
    {
        path = Path.GetFullPath(path);
        var real = Path.GetPathRoot(path)!;
        var links = 0;
        Stack<string> pending = new(Segments(path[real.Length..]).Reverse());
        while (pending.TryPop(out var segment))
        {
            if (segment == "..")
            {
                real = Path.GetDirectoryName(real) ?? real;
                continue;
            }

            var next = Path.Combine(real, segment);
            if (new FileInfo(next).LinkTarget is not { } target)
            {
                real = next;
                continue;
            }

            if (++links > MaxLinks)
            {
                throw JobFaultException.Terminal("path_refused", "The path goes through too many symbolic links.");
            }

            real = Path.IsPathRooted(target) ? Path.GetPathRoot(target)! : real;
            foreach (var part in Segments(target).Reverse())
            {
                pending.Push(part);
            }
        }

        return real;
    }

    private static IEnumerable<string> Segments(string path) =>
        path.Split([Path.DirectorySeparatorChar, Path.AltDirectorySeparatorChar], StringSplitOptions.RemoveEmptyEntries)
            .Where(segment => segment != ".");
}
