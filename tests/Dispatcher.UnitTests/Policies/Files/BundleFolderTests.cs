using System.Diagnostics;
using System.Net.Sockets;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Files;

public sealed class BundleFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bundle").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Missing_or_empty_folder_has_no_files()
    {
        Assert.Empty(BundleFolder.Read(Path.Combine(_folder, "missing")));
        Assert.Empty(BundleFolder.Read(_folder));
    }

    [Fact]
    public void Reads_bundle_files_sorted_and_skips_others()
    {
        Write("topics.yaml", "t");
        Write("rules/b.yaml", "b");
        Write("rules/a.yaml", "a");
        Write("schemas/test.run.json", "s");
        Write("schemas/test.run.JSON5", "s");
        Write("cases/c.yaml", "c");
        Write("README.md", "no");
        Write("rules/.hidden.yaml", "no");
        Write("rules/..2026_04_01/a.yaml", "no");
        Write("rules/.a.yaml.swp", "no");
        Write("rules/a.yaml~", "no");
        Write("rules/#a.yaml#", "no");
        Write("schemas/test.run.json~", "no");
        Write("other/x.yaml", "no");

        var files = BundleFolder.Read(_folder);

        Assert.Equal(
            ["cases/c.yaml", "rules/a.yaml", "rules/b.yaml", "schemas/test.run.JSON5", "schemas/test.run.json", "topics.yaml"],
            files.Select(file => file.Path)
        );
        Assert.Equal("a"u8.ToArray(), files[1].Content.ToArray());
    }

    /// <summary>If such a file were skipped silently, a DENY in it would be lost.</summary>
    [Theory]
    [InlineData("rules/prod.yml")]
    [InlineData("rules/Deny.YAML")]
    [InlineData("rules/deny.Yml")]
    [InlineData("rules/deny.yaml.bak")]
    [InlineData("rules/deny")]
    [InlineData("rules/notes.txt")]
    [InlineData("rules/more/deny.yaml")]
    [InlineData("Rules/deny.yaml")]
    [InlineData("cases/Prod.YAML")]
    [InlineData("cases/prod.json")]
    [InlineData("CASES/prod.yaml")]
    [InlineData("schemas/test.JSON")]
    [InlineData("Schemas/test.json")]
    [InlineData("topics.yml")]
    [InlineData("Topics.yaml")]
    [InlineData("topics.YAML")]
    public void Reads_a_file_with_a_wrong_name_so_that_loading_can_refuse_it(string path)
    {
        Write(path, "version: v1");

        Assert.Contains(
            Bundle.Load(BundleFolder.Read(_folder)).Errors,
            error => error.Where == path && error.Code == BundleErrorCodes.UnknownFile
        );
    }

    /// <summary>Opening a named pipe blocks until a writer opens it: the read would never return.</summary>
    [Theory]
    [InlineData("rules/pipe.yaml")]
    [InlineData("cases/pipe.yaml")]
    [InlineData("schemas/pipe.json")]
    [InlineData("topics.yaml")]
    public async Task Refuses_a_named_pipe_by_name(string path)
    {
        Write("rules/a.yaml", "a");
        Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(_folder, path))!);
        using (var mkfifo = Process.Start("mkfifo", Path.Combine(_folder, path)))
        {
            await mkfifo.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, mkfifo.ExitCode);
        }

        var read = Task.Run(() => BundleFolder.Read(_folder), TestContext.Current.CancellationToken);

        var refused = await Assert.ThrowsAsync<IOException>(() =>
            read.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)
        );
        Assert.Contains($"{path} is not a regular file", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_a_socket_by_name()
    {
        Write("rules/a.yaml", "a");
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder, "rules", "socket.yaml")));

        Assert.Contains("rules/socket.yaml", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void Follows_links_within_the_folder_as_in_a_mounted_config_map()
    {
        Write("..2026_04_01/rules/a.yaml", "a");
        Write("..2026_04_01/topics.yaml", "t");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "..data"), "..2026_04_01");
        Directory.CreateSymbolicLink(Path.Combine(_folder, "rules"), "..data/rules");
        File.CreateSymbolicLink(Path.Combine(_folder, "topics.yaml"), "..data/topics.yaml");
        var mounted = Directory.CreateSymbolicLink(_folder + "-link", _folder).FullName;

        try
        {
            Assert.Equal(["rules/a.yaml", "topics.yaml"], BundleFolder.Read(mounted).Select(file => file.Path));
        }
        finally
        {
            File.Delete(mounted);
        }
    }

    /// <summary>Error messages quote content of a file, for example the first line of a private key.</summary>
    [Theory]
    [InlineData("rules/a.yaml", "/etc/hostname")]
    [InlineData("rules/a.yaml", "../../outside")]
    [InlineData("rules/a.yaml", "../.link/../outside")]
    [InlineData("topics.yaml", "/dev/zero")]
    [InlineData("rules", "/etc")]
    public void Refuses_a_link_out_of_the_folder_by_name(string path, string target)
    {
        Directory.CreateSymbolicLink(Path.Combine(_folder, ".link"), "/tmp");
        var full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.CreateSymbolicLink(full, target);

        Assert.Contains(path, Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_circular_links_by_name()
    {
        Write("topics.yaml", "t");
        Directory.CreateDirectory(Path.Combine(_folder, "rules"));
        File.CreateSymbolicLink(Path.Combine(_folder, "rules", "a.yaml"), "b.yaml");
        File.CreateSymbolicLink(Path.Combine(_folder, "rules", "b.yaml"), "a.yaml");
        Assert.Contains("rules/a.yaml", Refused(), StringComparison.Ordinal);

        File.Delete(Path.Combine(_folder, "rules", "a.yaml"));
        File.Delete(Path.Combine(_folder, "rules", "b.yaml"));
        for (var i = 0; i < 30; i++)
        {
            Directory.CreateSymbolicLink(Path.Combine(_folder, "rules", $"again{i}"), ".");
        }

        Assert.Contains("rules/again", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void Refuses_too_many_files_and_cuts_a_large_one()
    {
        Write("rules/large.yaml", new string('#', 3_000_000));
        Assert.Equal((1 << 20) + 1, Assert.Single(BundleFolder.Read(_folder)).Content.Length);

        for (var i = 0; i < 1_000; i++)
        {
            Write($"rules/{i}.yaml", "a");
        }

        Assert.Contains("more than 1000 files", Refused(), StringComparison.Ordinal);
    }

    private string Refused() => Assert.Throws<IOException>(() => BundleFolder.Read(_folder)).Message;

    private void Write(string path, string text)
    {
        var full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
