using Dispatcher.Policies;

namespace Dispatcher.UnitTests.Policies;

public sealed class BundleFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bundle").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_missing_or_empty_folder_has_no_files()
    {
        Assert.Empty(BundleFolder.Read(Path.Combine(_folder, "missing")));
        Assert.Empty(BundleFolder.Read(_folder));
    }

    [Fact]
    public void Files_come_sorted_with_their_bytes_and_others_stay_out()
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

        IReadOnlyList<BundleFile> files = BundleFolder.Read(_folder);

        Assert.Equal(["cases/c.yaml", "rules/a.yaml", "rules/b.yaml", "schemas/test.run.JSON5", "schemas/test.run.json", "topics.yaml"], files.Select(file => file.Path));
        Assert.Equal("a"u8.ToArray(), files[1].Content.ToArray());
    }

    /// <summary>Left out silently, a DENY in such a file would be lost.</summary>
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
    public void A_file_with_a_wrong_name_is_read_so_that_loading_can_refuse_it(string path)
    {
        Write(path, "version: v1");

        Assert.Contains(Bundle.Load(BundleFolder.Read(_folder)).Errors, error => error.Where == path && error.Code == BundleErrorCodes.UnknownFile);
    }

    private void Write(string path, string text)
    {
        string full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
