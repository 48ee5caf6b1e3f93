using System.Globalization;
using System.Text.Json;
using Dispatcher.ReferenceWorker.Payloads;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker.Repos;

/// <summary>
/// <c>job.repo.read</c>: reads a git repository directly below the allowed root.
/// Payload <c>{"repo": "name", "op": "log|tree|file", "ref": "HEAD", "path": "src", "limit": 20}</c>; <c>repo</c> and <c>op</c>
/// required, for a file also <c>path</c>.
/// Results: <c>{"commit", "commits": [{"hash", "author", "email", "at", "subject"}]}</c>,
/// <c>{"commit", "entries": [{"mode", "type", "hash", "size", "path"}]}</c>,
/// <c>{"commit", "path", "size", "text", "truncated"}</c>; a list that was cut has <c>"truncated": true</c>.
/// Bytes of a file that are not UTF-8 are replaced. A path with a line break or a quote is quoted as git does.
/// </summary>
internal sealed class RepoReadHandler(Programs programs, IOptions<ReferenceWorkerOptions> options) : IJobHandler
{
    private const int MaxLimit = 1000;

    // Reserved for the JSON around the output of git.
    private const int Overhead = 512;

    public async Task<JobResult> RunAsync(JobRun run, CancellationToken cancellationToken)
    {
        var payload = new PayloadReader(run.Payload);
        var repo = payload.RequiredText("repo");
        var operation = payload.RequiredText("op");
        var reference = payload.OptionalText("ref") ?? "HEAD";
        var path = payload.OptionalText("path") ?? "";
        var limit = payload.OptionalNumber("limit", 20, 1, MaxLimit);
        payload.Require(operation is "" or "log" or "tree" or "file", $"'op' must be log, tree or file, not '{operation}'");
        payload.Require(IsReference(reference), "'ref' must be 1 to 256 printable characters and not start with '-'");
        payload.Require(IsInside(path), "'path' must be a path inside the repository, without '..'");
        payload.Require(operation != "file" || path.Length > 0, "'path' is missing; op file needs it");
        payload.Done();

        using var view = RepositoryView.Of(options.Value.RepoRoot!, repo);
        var git = new Git(programs, run, view);
        var resolved = await git.RunAsync(
            $"'{reference}' is not a commit of '{repo}'",
            cancellationToken,
            "rev-parse",
            "--verify",
            "--quiet",
            reference + "^{commit}"
        );
        var commit = resolved.Stdout.Head(int.MaxValue).Text.Trim();
        return operation switch
        {
            "log" => await LogAsync(git, commit, path, limit, run.MaxOutputBytes, cancellationToken),
            "tree" => await TreeAsync(git, commit, path, limit, run.MaxOutputBytes, cancellationToken),
            _ => await FileAsync(git, commit, path, run.MaxOutputBytes, cancellationToken),
        };
    }

    private static async Task<JobResult> LogAsync(
        Git git,
        string commit,
        string path,
        int limit,
        int maxBytes,
        CancellationToken cancellationToken
    )
    {
        string[] only = path.Length > 0 ? [path] : [];
        var log = await git.RunAsync(
            "The log cannot be read",
            cancellationToken,
            [
                "log",
                "--no-color",
                $"--max-count={limit.ToString(CultureInfo.InvariantCulture)}",
                "--format=%H%x1f%an%x1f%ae%x1f%aI%x1f%s%x1e",
                commit,
                "--",
                .. only,
            ]
        );
        var (text, cut) = log.Stdout.Head(maxBytes);
        var commits = Records(text, '\u001e', cut)
            .Select(line => line.TrimStart('\n').Split('\u001f'))
            .Where(fields => fields.Length == 5)
            .Select(fields => new
            {
                hash = fields[0],
                author = fields[1],
                email = fields[2],
                at = fields[3],
                subject = fields[4],
            })
            .ToList();
        return Fitting(
            commits,
            cut,
            maxBytes,
            (kept, truncated) =>
                new
                {
                    commit,
                    commits = kept,
                    truncated,
                }
        );
    }

    private static async Task<JobResult> TreeAsync(
        Git git,
        string commit,
        string path,
        int limit,
        int maxBytes,
        CancellationToken cancellationToken
    )
    {
        var tree = await git.RunAsync(
            $"'{path}' is not a folder of that commit",
            cancellationToken,
            "ls-tree",
            "--long",
            $"{commit}:{path}"
        );
        var (text, cut) = tree.Stdout.Head(maxBytes);
        // <mode> <type> <hash> <size, padded>\t<path>
        var all = Records(text, '\n', cut)
            .Select(line => line.Split('\t', 2))
            .Where(parts => parts.Length == 2)
            .Select(parts => (Fields: parts[0].Split(' ', StringSplitOptions.RemoveEmptyEntries), Path: parts[1]))
            .Where(entry => entry.Fields.Length == 4)
            .Select(entry => new
            {
                mode = entry.Fields[0],
                type = entry.Fields[1],
                hash = entry.Fields[2],
                size = entry.Fields[3],
                path = entry.Path,
            })
            .ToList();
        return Fitting(
            all.Take(limit).ToList(),
            cut || all.Count > limit,
            maxBytes,
            (kept, truncated) =>
                new
                {
                    commit,
                    entries = kept,
                    truncated,
                }
        );
    }

    private static async Task<JobResult> FileAsync(Git git, string commit, string path, int maxBytes, CancellationToken cancellationToken)
    {
        var name = $"{commit}:{path}";
        var size = await git.RunAsync($"'{path}' is not a file of that commit", cancellationToken, "cat-file", "-s", name);
        var file = await git.RunAsync($"'{path}' is not a file of that commit", cancellationToken, "cat-file", "blob", name);
        var bytes = long.Parse(size.Stdout.Head(32).Text, CultureInfo.InvariantCulture);
        for (var keep = maxBytes; ; keep /= 2)
        {
            var (text, truncated) = file.Stdout.Head(keep);
            var result = JsonSerializer.SerializeToElement(
                new
                {
                    commit,
                    path,
                    size = bytes,
                    text,
                    truncated,
                }
            );
            if (keep == 0 || JsonSerializer.SerializeToUtf8Bytes(result).Length <= maxBytes)
            {
                return JobResult.Of(result);
            }
        }
    }

    // Keeps as many items as fit; JSON escapes can make the answer longer than the output of git.
    private static JobResult Fitting<T, TResult>(List<T> items, bool truncated, int maxBytes, Func<List<T>, bool, TResult> shape)
    {
        while (items.Count > 0 && JsonSerializer.SerializeToUtf8Bytes(items).Length > maxBytes - Overhead)
        {
            items = items[..(items.Count / 2)];
            truncated = true;
        }

        return JobResult.From(shape(items, truncated));
    }

    // The last record of a cut output is incomplete.
    private static IEnumerable<string> Records(string text, char end, bool cut)
    {
        var records = text.Split(end, StringSplitOptions.RemoveEmptyEntries);
        return cut ? records.SkipLast(1) : records;
    }

    private static bool IsReference(string reference) =>
        reference.Length is > 0 and <= 256 && reference[0] != '-' && !reference.Any(char.IsControl);

    private static bool IsInside(string path) =>
        path.Length <= 4096 && !path.StartsWith('/') && !path.Split('/').Contains("..") && !path.Any(char.IsControl);
}
