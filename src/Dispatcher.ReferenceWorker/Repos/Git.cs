using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Repos;

/// <summary>
/// Reads one repository by the git program. A repository is data that somebody else wrote: nothing in it may run (hooks, pagers, monitors, external diffs, signature
/// programs), nothing is fetched, and no configuration but its own is read.
/// </summary>
internal sealed class Git(string gitFolder, int maxOutputBytes)
{
    private const int MinOutput = 4096;

    private static readonly string[] Hardened =
    [
        "--no-pager", "--no-replace-objects",
        "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.pager=cat", "-c", "log.showSignature=false",
        "-c", "protocol.allow=never", "-c", "core.quotePath=false",
    ];

    private static readonly Dictionary<string, string> CleanEnvironment = new(StringComparer.Ordinal)
    {
        ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin",
        ["HOME"] = "/nonexistent",
        ["LC_ALL"] = "C.UTF-8",
        ["GIT_CONFIG_NOSYSTEM"] = "1",
        ["GIT_CONFIG_GLOBAL"] = "/dev/null",
        ["GIT_ATTR_NOSYSTEM"] = "1",
        ["GIT_TERMINAL_PROMPT"] = "0",
        ["GIT_OPTIONAL_LOCKS"] = "0",
        ["GIT_NO_LAZY_FETCH"] = "1",
        ["GIT_ALLOW_PROTOCOL"] = "none",
        ["GIT_PROTOCOL_FROM_USER"] = "0",
        // A path is a path: no :(glob) or :(attr).
        ["GIT_LITERAL_PATHSPECS"] = "1",
    };

    /// <summary>The git folder of a repository, given its folder; bare or not. A <c>.git</c> file is refused, since it may lead anywhere.</summary>
    public static string? FolderOf(string repository)
    {
        var inside = Path.Combine(repository, ".git");
        if (Directory.Exists(inside) && new DirectoryInfo(inside).LinkTarget is null)
        {
            return inside;
        }

        return File.Exists(Path.Combine(repository, "HEAD")) && Directory.Exists(Path.Combine(repository, "objects")) ? repository : null;
    }

    /// <summary>The output of a git command that must succeed.</summary>
    public async Task<ProcessResult> RunAsync(string whatFor, CancellationToken cancellationToken, params string[] arguments)
    {
        var result = await TryAsync(cancellationToken, arguments);
        return result.ExitCode == 0 ? result : throw JobFaultException.Terminal("not_found", $"{whatFor}: {result.Stderr.Tail()}");
    }

    public Task<ProcessResult> TryAsync(CancellationToken cancellationToken, params string[] arguments)
    {
        var spec = new ProcessSpec
        {
            Program = ChildProcess.Find("git") ?? throw JobFaultException.Terminal("command_not_found", "This worker has no git."),
            // The folder is named, so git looks for no other in the folders above.
            Arguments = [$"--git-dir={gitFolder}", .. Hardened, .. arguments],
            WorkingFolder = gitFolder,
            Environment = CleanEnvironment,
            // A hash or a size must come whole, however little of the result is kept.
            MaxOutputBytes = Math.Max(maxOutputBytes, MinOutput),
        };
        return ChildProcess.RunAsync(spec, cancellationToken);
    }
}
