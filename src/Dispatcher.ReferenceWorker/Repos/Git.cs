using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;

namespace Dispatcher.ReferenceWorker.Repos;

/// <summary>
/// Reads one repository with the git program. The content of a repository is untrusted: git sees a <see cref="RepositoryView"/> of it,
/// so that no configuration, hook, attribute or link of the repository takes effect. Git fetches nothing. The standard error of git goes
/// to the worker's log only.
/// </summary>
internal sealed class Git(Programs programs, JobRun run, RepositoryView view)
{
    private const int MinOutput = 4096;

    // The view has no configuration of the repository. These settings protect also against a new version of git that reads more.
    private static readonly string[] Hardened =
    [
        "--no-pager",
        "--no-replace-objects",
        "-c",
        "safe.bareRepository=explicit",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.pager=cat",
        "-c",
        "core.attributesFile=/dev/null",
        "-c",
        "log.showSignature=false",
        "-c",
        "log.mailmap=false",
        "-c",
        "protocol.allow=never",
        "-c",
        "core.quotePath=false",
    ];

    /// <summary>The output of a git command that must succeed.</summary>
    public async Task<ProcessResult> RunAsync(string whatFor, CancellationToken cancellationToken, params string[] arguments)
    {
        var spec = new ProcessSpec
        {
            Program = ChildProcess.Find("git") ?? throw JobFaultException.Terminal("command_not_found", "This worker has no git."),
            Arguments = [$"--git-dir={view.Folder}", .. Hardened, .. arguments],
            WorkingFolder = view.Folder,
            Environment = CleanEnvironment(),
            // A hash or a size must be complete, however small the limit of the result is.
            MaxOutputBytes = Math.Max(run.MaxOutputBytes, MinOutput),
        };
        var result = await programs.RunAsync(run, spec, cancellationToken);
        return result.ExitCode == 0 ? result : throw JobFaultException.Terminal("not_found", $"{whatFor}. {programs.Keep(run, result)}");
    }

    private Dictionary<string, string> CleanEnvironment() =>
        new(StringComparer.Ordinal)
        {
            ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin",
            ["HOME"] = "/nonexistent",
            ["LC_ALL"] = "C.UTF-8",
            ["GIT_OBJECT_DIRECTORY"] = view.Objects,
            // Git must not search for a repository in the folders above.
            ["GIT_CEILING_DIRECTORIES"] = view.Folder,
            // The same folder, so that no file commondir can name another.
            ["GIT_COMMON_DIR"] = view.Folder,
            ["GIT_CONFIG_NOSYSTEM"] = "1",
            ["GIT_CONFIG_GLOBAL"] = "/dev/null",
            ["GIT_ATTR_NOSYSTEM"] = "1",
            ["GIT_TERMINAL_PROMPT"] = "0",
            ["GIT_OPTIONAL_LOCKS"] = "0",
            ["GIT_NO_LAZY_FETCH"] = "1",
            ["GIT_NO_REPLACE_OBJECTS"] = "1",
            ["GIT_GRAFT_FILE"] = "/dev/null",
            ["GIT_ALLOW_PROTOCOL"] = "none",
            ["GIT_PROTOCOL_FROM_USER"] = "0",
            // A path is taken literally, without :(glob) or :(attr).
            ["GIT_LITERAL_PATHSPECS"] = "1",
        };
}
