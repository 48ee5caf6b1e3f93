using System.Diagnostics;
using System.Runtime.Versioning;
using Dispatcher.ReferenceWorker.Repos;

namespace Dispatcher.UnitTests.ReferenceWorker.Repos;

/// <summary>Repositories that an attacker prepared, so that git reads files outside of the repository.</summary>
public sealed class EvilRepositoryTests : IDisposable
{
    private const string Secret = "dk_0123456789abcdef-the-api-key-of-the-worker";

    private const string Commit = "git -c user.name=a -c user.email=a@b commit -q";

    private const string NoObjects = "mkdir objects refs; touch objects/keep refs/keep; echo 'ref: refs/heads/main' > HEAD; ";

    private readonly ARun _run = new();
    private readonly string _outside = Directory.CreateTempSubdirectory("outside-").FullName;

    public EvilRepositoryTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux runs programs.");
        File.WriteAllText(Path.Combine(_outside, "key"), Secret + "\n");
        Sh(_outside, $"git init -q -b main private; cd private; echo private > file; git add .; {Commit} -m Private");
        Sh(_run.Root, $"git init -q -b main evil; cd evil; echo open > file; git add .; {Commit} -m Open");
    }

    private RepoReadHandler Handler => new(_run.Programs, _run.Options);

    /// <summary>Shell commands that change the repository <c>evil</c>. Git must not read the folder <c>$OUT</c>.</summary>
    public static TheoryData<string> Evil =>
        new(
            // A git folder that is not a repository.
            "rm -rf .git; " + NoObjects + "echo $OUT/private/.git > commondir",
            "rm -rf .git; " + NoObjects + "echo $OUT/key > commondir",
            "echo $OUT/private/.git > .git/commondir",
            "echo $OUT/private/.git > .git/gitdir",
            "ln -s $OUT/key .git/commondir",
            "rm -rf .git; echo gitdir: $OUT/private/.git > .git",
            // Links instead of the files that git reads.
            "rm -rf .git; ln -s $OUT/private/.git .git",
            "cd ..; mv evil moved; ln -s $OUT/private evil",
            "ln -s $OUT/key .git/packed-refs",
            "ln -s $OUT/key .git/shallow",
            "ln -sf $OUT/key .git/HEAD",
            "ln -sf $OUT/key .git/config",
            "rm -rf .git/refs; ln -s $OUT/private/.git/refs .git/refs",
            "rm -rf .git/refs/heads; ln -s $OUT/private/.git/refs/heads .git/refs/heads",
            "ln -sf $OUT/key .git/refs/heads/main",
            "rm -rf .git/objects; ln -s $OUT/private/.git/objects .git/objects",
            "rm -rf .git/objects/pack; ln -s $OUT/private/.git/objects .git/objects/pack",
            "ln -s $OUT/private/.git/objects .git/objects/ff",
            "for f in $(cd .git/objects; ls -d ??/*); do ln -sf $OUT/key .git/objects/$f; break; done",
            // Object folders elsewhere.
            "echo $OUT/private/.git/objects > .git/objects/info/alternates",
            "echo http://127.0.0.1:1/ > .git/objects/info/http-alternates",
            // Files of other kinds, and contents that git would quote.
            "mkfifo .git/packed-refs",
            "rm .git/HEAD; mkfifo .git/HEAD",
            "for f in $(cd .git/objects; ls -d ??/*); do rm -f .git/objects/$f; mkfifo .git/objects/$f; done",
            "mkdir -p .git/objects/info; mkfifo .git/objects/info/commit-graph",
            "mkfifo .git/objects/pack/pack-0123456789012345678901234567890123456789.idx",
            "cp $OUT/key .git/HEAD",
            "printf 'ref: refs/heads/main\\nref: refs/heads/x\\n' > .git/HEAD",
            "rm -rf .git/refs; touch .git/refs"
        );

    public void Dispose()
    {
        _run.Dispose();
        Directory.Delete(_outside, recursive: true);
    }

    [Theory]
    [MemberData(nameof(Evil))]
    public async Task Repository_that_leads_out_of_its_folder_is_refused(string change)
    {
        var log = await _run.With("""{"repo": "evil", "op": "log"}""").By(Handler);
        Assert.Equal("Open", log.GetProperty("commits")[0].GetProperty("subject").GetString());
        Sh(Path.Combine(_run.Root, "evil"), change);

        var fault = await _run.FaultOf(Handler);

        Assert.Equal("repo_refused", fault.Code);
        Assert.DoesNotContain(Secret, fault.Message + fault.InnerException?.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("rm .git/refs/heads/main; cp $OUT/key .git/packed-refs")]
    [InlineData("cp $OUT/key .git/refs/heads/main")]
    [InlineData("cp $OUT/key .git/shallow")]
    [InlineData("echo 'ref: refs/../../../../../..'$OUT/key > .git/refs/heads/main")]
    [InlineData("echo 'ref: refs/heads/../../../../../..'$OUT/key > .git/HEAD")]
    public async Task Repository_with_broken_files_is_a_fault_that_quotes_no_content(string change)
    {
        Sh(Path.Combine(_run.Root, "evil"), change);

        var fault = await _run.With("""{"repo": "evil", "op": "log"}""").FaultOf(Handler);

        Assert.Equal("not_found", fault.Code);
        Assert.DoesNotContain(Secret, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Repository_in_a_nested_folder_is_refused()
    {
        Sh(_run.Root, "mkdir evil/inner; cd evil/inner; " + NoObjects + "echo $OUT/private/.git > commondir");

        var fault = await _run.With("""{"repo": "evil/inner", "op": "log"}""").FaultOf(Handler);

        Assert.Equal("path_refused", fault.Code);
    }

    [Fact]
    public async Task Grafts_and_replacements_do_not_change_what_is_read()
    {
        var evil = Path.Combine(_run.Root, "evil");
        Sh(evil, Commit + " --allow-empty -m Second; git replace HEAD HEAD~1; mkdir -p .git/info; git rev-parse HEAD > .git/info/grafts");

        var log = await _run.With("""{"repo": "evil", "op": "log"}""").By(Handler);

        var subjects = log.GetProperty("commits").EnumerateArray().Select(commit => commit.GetProperty("subject").GetString());
        Assert.Equal(["Second", "Open"], subjects);
    }

    [Fact]
    [UnsupportedOSPlatform("windows")]
    public void Private_copy_is_readable_by_its_user_only_and_is_removed()
    {
        string folder;
        using (var view = RepositoryView.Of(_run.Root, "evil"))
        {
            folder = view.Folder;
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(folder));
        }

        Assert.False(Directory.Exists(folder));
    }

    private void Sh(string folder, string script)
    {
        var start = new ProcessStartInfo("sh", ["-ec", script]) { WorkingDirectory = folder, Environment = { ["OUT"] = _outside } };
        using var sh = Process.Start(start)!;
        sh.WaitForExit();
        Assert.Equal(0, sh.ExitCode);
    }
}
