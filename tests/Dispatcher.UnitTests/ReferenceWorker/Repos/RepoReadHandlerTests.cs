using System.Diagnostics;
using System.Runtime.Versioning;
using Dispatcher.Contracts;
using Dispatcher.ReferenceWorker.Repos;

namespace Dispatcher.UnitTests.ReferenceWorker.Repos;

public sealed class RepoReadHandlerTests : IDisposable
{
    private readonly ARun _run = new();

    public RepoReadHandlerTests()
    {
        Git(_run.Root, "init", "-q", "-b", "main", "shop");
        Directory.CreateDirectory(Path.Combine(Shop, "src"));
        File.WriteAllText(Path.Combine(Shop, "src", "größe.txt"), "first\n");
        Git(Shop, "add", ".");
        Git(Shop, "commit", "-q", "-m", "Begin");
        File.WriteAllText(Path.Combine(Shop, "README"), "hello\n");
        Git(Shop, "add", ".");
        Git(Shop, "commit", "-q", "-m", "Greet");
    }

    private string Shop => Path.Combine(_run.Root, "shop");

    private RepoReadHandler Handler => new(_run.Programs, _run.Options);

    public void Dispose() => _run.Dispose();

    [Fact]
    public async Task Reads_the_log_newest_first_up_to_the_limit()
    {
        var all = (await _run.With("""{"repo": "shop", "op": "log"}""").By(Handler)).GetProperty("commits");
        var one = (await _run.With("""{"repo": "shop", "op": "log", "limit": 1, "path": "src"}""").By(Handler)).GetProperty("commits");

        Assert.Equal(["Greet", "Begin"], all.EnumerateArray().Select(commit => commit.GetProperty("subject").GetString()));
        Assert.Equal("Begin", Assert.Single(one.EnumerateArray()).GetProperty("subject").GetString());
    }

    [Fact]
    public async Task Reads_a_tree()
    {
        var root = (await _run.With("""{"repo": "shop", "op": "tree"}""").By(Handler)).GetProperty("entries");
        var src = (await _run.With("""{"repo": "shop", "op": "tree", "path": "src", "ref": "main~1"}""").By(Handler)).GetProperty(
            "entries"
        );

        Assert.Equal(["README", "src"], root.EnumerateArray().Select(entry => entry.GetProperty("path").GetString()));
        Assert.Equal("größe.txt", Assert.Single(src.EnumerateArray()).GetProperty("path").GetString());
    }

    [Fact]
    public async Task Reads_a_file()
    {
        var file = await _run.With("""{"repo": "shop", "op": "file", "path": "src/größe.txt"}""").By(Handler);

        Assert.Equal(
            ("first\n", 6, false),
            (file.GetProperty("text").GetString(), file.GetProperty("size").GetInt32(), file.GetProperty("truncated").GetBoolean())
        );
    }

    [Fact]
    public async Task Reads_no_more_than_the_limit_of_the_output()
    {
        var file = await _run.Constrained(new Constraints { MaxOutputBytes = 10 })
            .With("""{"repo": "shop", "op": "file", "path": "README"}""")
            .By(Handler);

        Assert.Equal(
            ("", 6, true),
            (file.GetProperty("text").GetString(), file.GetProperty("size").GetInt32(), file.GetProperty("truncated").GetBoolean())
        );
    }

    [Theory]
    [InlineData("""{"repo": "shop", "op": "log", "ref": "--output=/tmp/x"}""", "bad_payload")]
    [InlineData("""{"repo": "shop", "op": "push"}""", "bad_payload")]
    [InlineData("""{"repo": "shop", "op": "file"}""", "bad_payload")]
    [InlineData("""{"repo": "shop", "op": "file", "path": "../x"}""", "bad_payload")]
    [InlineData("""{"repo": "shop", "op": "file", "path": "missing"}""", "not_found")]
    [InlineData("""{"repo": "shop", "op": "log", "ref": "no-such-branch"}""", "not_found")]
    [InlineData("""{"repo": "../shop", "op": "log"}""", "path_refused")]
    [InlineData("""{"repo": "shop/src", "op": "log"}""", "path_refused")]
    [InlineData("""{"repo": "shop/.git", "op": "log"}""", "path_refused")]
    [InlineData("""{"repo": ".", "op": "log"}""", "path_refused")]
    [InlineData("""{"repo": "..", "op": "log"}""", "path_refused")]
    [InlineData("""{"repo": "/etc", "op": "log"}""", "path_refused")]
    [InlineData("""{"repo": "no-such-repo", "op": "log"}""", "path_refused")]
    public async Task Refuses_wrong_values_missing_objects_and_paths_out_of_the_root(string payload, string code) =>
        Assert.Equal(code, (await _run.With(payload).FaultOf(Handler)).Code);

    [Fact]
    public async Task Reads_a_bare_repository_and_one_with_packed_refs_tags_and_sha256()
    {
        Git(Shop, "tag", "-a", "v1", "-m", "One");
        Git(_run.Root, "clone", "-q", "--bare", "shop", "bare");
        Git(_run.Root, "init", "-q", "--object-format=sha256", "-b", "main", "long");
        Git(Path.Combine(_run.Root, "long"), "commit", "-q", "--allow-empty", "-m", "Long");
        Git(Shop, "pack-refs", "--all");
        Git(Shop, "gc", "-q");

        Assert.Equal(["Greet", "Begin"], await SubjectsAsync("bare", "v1"));
        Assert.Equal(["Begin"], await SubjectsAsync("shop", "v1~1"));
        Assert.Equal(["Long"], await SubjectsAsync("long", "main"));
    }

    [Fact]
    public async Task Standard_error_of_git_goes_to_the_worker_log_and_not_to_the_producer()
    {
        var fault = await _run.With("""{"repo": "shop", "op": "file", "path": "missing"}""").FaultOf(Handler);

        Assert.Matches(
            @"^'missing' is not a file of that commit\. The log of the worker has the details of run [0-9a-f-]{36}\.$",
            fault.Message
        );
        Assert.Contains("fatal:", _run.Log.Text, StringComparison.Ordinal);
        Assert.Contains(fault.Message.Split(' ')[^1].TrimEnd('.'), _run.Log.Text, StringComparison.Ordinal);
    }

    private async Task<IEnumerable<string?>> SubjectsAsync(string repo, string reference) =>
        (await _run.With($$"""{"repo": "{{repo}}", "op": "log", "ref": "{{reference}}"}""").By(Handler))
            .GetProperty("commits")
            .EnumerateArray()
            .Select(commit => commit.GetProperty("subject").GetString());

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public async Task Runs_nothing_that_the_repository_configures()
    {
        var touched = Path.Combine(_run.Root, "touched");
        var signer = Path.Combine(_run.Root, "signer");
        await File.WriteAllTextAsync(
            signer,
            $$"""
            #!/bin/sh
            case "$*" in
            *--verify*) touch {{touched}} ;;
            *) cat > /dev/null
                printf '\n[GNUPG:] SIG_CREATED \n' >&2
                printf -- '-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n' ;;
            esac
            """,
            TestContext.Current.CancellationToken
        );
        File.SetUnixFileMode(signer, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Git(Shop, "-c", $"gpg.program={signer}", "commit", "-q", "-S", "--allow-empty", "-m", "Sign");
        Git(Shop, "config", "core.fsmonitor", $"touch {touched}");
        Git(Shop, "config", "core.pager", $"touch {touched}");
        Git(Shop, "config", "diff.external", $"touch {touched}");
        Git(Shop, "config", "log.showSignature", "true");
        Git(Shop, "config", "gpg.program", signer);
        Git(Shop, "config", "alias.log", $"!touch {touched}");
        Git(Shop, "config", "core.sshCommand", $"touch {touched}");
        Git(Shop, "config", "core.alternateRefsCommand", $"touch {touched}");
        Git(Shop, "config", "diff.evil.textconv", $"touch {touched}");
        Git(Shop, "config", "filter.evil.smudge", $"touch {touched}");
        Git(Shop, "config", "include.path", Path.Combine(_run.Root, "included"));
        Git(Shop, "config", "core.worktree", "/etc");
        await File.WriteAllTextAsync(
            Path.Combine(_run.Root, "included"),
            "[core]\n\tnotAKey\n\tfsmonitor = touch " + touched + "\n[",
            TestContext.Current.CancellationToken
        );
        await File.WriteAllTextAsync(
            Path.Combine(Shop, ".git", "info", "attributes"),
            "* diff=evil filter=evil\n",
            TestContext.Current.CancellationToken
        );

        await _run.With("""{"repo": "shop", "op": "log"}""").By(Handler);
        await _run.With("""{"repo": "shop", "op": "tree"}""").By(Handler);
        await _run.With("""{"repo": "shop", "op": "file", "path": "README"}""").By(Handler);

        Assert.False(File.Exists(touched));
    }

    private static void Git(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("git") { WorkingDirectory = folder };
        foreach (
            var argument in (string[])
                ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false", .. arguments]
        )
        {
            start.ArgumentList.Add(argument);
        }

        using var git = Process.Start(start)!;
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
    }
}
