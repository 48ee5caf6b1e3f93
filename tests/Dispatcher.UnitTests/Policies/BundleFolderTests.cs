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
        Write("rules/notes.txt", "no");
        Write("rules/.hidden.yaml", "no");
        Write("other/x.yaml", "no");

        IReadOnlyList<BundleFile> files = BundleFolder.Read(_folder);

        Assert.Equal(["cases/c.yaml", "rules/a.yaml", "rules/b.yaml", "schemas/test.run.JSON5", "schemas/test.run.json", "topics.yaml"], files.Select(file => file.Path));
        Assert.Equal("a"u8.ToArray(), files[1].Content.ToArray());
    }

    [Fact]
    public void A_rule_file_with_the_wrong_ending_is_read_so_that_loading_can_refuse_it()
    {
        Write("rules/prod.yml", "version: v1");

        Assert.Contains(Bundle.Load(BundleFolder.Read(_folder)).Errors, error => error.Where == "rules/prod.yml" && error.Code == BundleErrorCodes.UnknownFile);
    }

    private void Write(string path, string text)
    {
        string full = Path.Combine(_folder, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
    }
}
