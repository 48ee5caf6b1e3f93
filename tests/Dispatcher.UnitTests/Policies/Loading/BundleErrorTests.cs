using System.Text;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;

namespace Dispatcher.UnitTests.Policies.Loading;

/// <summary>Errors of files and of the bundle as a whole.</summary>
public class BundleErrorTests
{
    [Fact]
    public void Rule_id_must_be_unique_in_all_files()
    {
        var rules = "version: v1\nrules:\n  - {id: a, decision: DENY, match: {topic: test.run}}";

        var error = Assert.Single(
            ABundle.WithFiles(("topics.yaml", BundleErrors.Topics), ("rules/b.yaml", rules), ("rules/a.yaml", rules)).Load().Errors
        );

        Assert.Equal("duplicate_id", error.Code);
        Assert.Equal("rules/b.yaml:3", error.Where);
        Assert.Contains("rules/a.yaml:3", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("version: v1", "missing_key", 1)]
    [InlineData("rules: []", "missing_key", 1)]
    [InlineData("version: v2\nrules: []", "bad_value", 1)]
    [InlineData("version: v1\nrules:\n  - {}", "missing_key", 3)]
    [InlineData("version: v1\nrules: {}", "wrong_kind", 2)]
    [InlineData("version: v1\nrules: [a]", "wrong_kind", 2)]
    [InlineData("version: v1\nrules: []\n---\nrules: []", "bad_yaml", 3)]
    [InlineData("version: v1\nrules: [", "bad_yaml", 2)]
    [InlineData("version: v1\n\trules: []", "bad_yaml", 2)]
    [InlineData("", "empty", 1)]
    [InlineData("# nothing", "empty", 1)]
    [InlineData("- a", "wrong_kind", 1)]
    [InlineData("version: v1\nrules: []\n1: x", "not_text", 3)]
    [InlineData("version: v1\nrules: []\n<<: x", "unknown_key", 3)]
    [InlineData("version: v1\nrules: []\n[a]: x", "wrong_kind", 3)]
    public void Bad_file_does_not_load(string text, string code, int line) =>
        Assert.Contains(BundleErrors.Of(text), error => error.Code == code && error.Where == $"rules/a.yaml:{line}");

    [Fact]
    public void Deep_nesting_large_files_and_other_encodings_are_errors()
    {
        BundleFile Rule(byte[] content) => new("rules/a.yaml", content);
        BundleFile topics = new("topics.yaml", Encoding.UTF8.GetBytes(BundleErrors.Topics));

        Assert.Equal("bad_yaml", Assert.Single(BundleErrors.Of("version: " + new string('[', 5000))).Code);
        Assert.Equal("unreadable", Assert.Single(Bundle.Load([topics, Rule([0xff, 0xfe, 0x00])]).Errors).Code);
        Assert.Equal("unreadable", Assert.Single(Bundle.Load([topics, Rule(new byte[2 * 1024 * 1024])]).Errors).Code);
        Assert.Empty(Bundle.Load([topics, Rule([0xef, 0xbb, 0xbf, .. Encoding.UTF8.GetBytes(BundleErrors.Rules)])]).Errors);
    }

    [Fact]
    public void Missing_unknown_and_duplicate_files_are_errors()
    {
        BundleFile topics = new("topics.yaml", Encoding.UTF8.GetBytes(BundleErrors.Topics));
        BundleFile rules = new("rules/a.yaml", Encoding.UTF8.GetBytes(BundleErrors.Rules));

        Assert.Equal(["missing_file", "missing_file"], Bundle.Load([]).Errors.Select(error => error.Code));
        Assert.Equal("missing_file", Assert.Single(Bundle.Load([rules]).Errors).Code);
        Assert.Equal("missing_file", Assert.Single(Bundle.Load([topics]).Errors).Code);
        Assert.Equal("unknown_file", Assert.Single(Bundle.Load([topics, rules, new BundleFile("rules/b.yml", default)]).Errors).Code);
        Assert.Contains(Bundle.Load([topics, rules, rules]).Errors, error => error.Code == "unknown_file");
    }

    [Fact]
    public void All_errors_of_all_files_are_listed_and_no_bundle_is_loaded()
    {
        var load = ABundle
            .WithFiles(
                ("rules/a.yaml", BundleErrors.Start + "decison: DENY\n    reason: yes"),
                ("rules/b.yaml", "version: v1\nrules: ["),
                ("topics.yaml", "version: v1\npools: {}\ntopics: {test.run: {pool: main, owner: team}}")
            )
            .Load();

        Assert.Null(load.Bundle);
        Assert.Equal(
            ["bad_yaml@rules/b.yaml:2", "not_text@rules/a.yaml:6", "unknown_key@rules/a.yaml:5", "unknown_pool@topics.yaml:3"],
            load.Errors.Select(error => $"{error.Code}@{error.Where}").Order(StringComparer.Ordinal)
        );
    }
}
