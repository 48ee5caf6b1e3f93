using Dispatcher.CommandLine.Screens;
using Dispatcher.Policies;
using Dispatcher.Policies.Files;
using Dispatcher.UnitTests.CommandLine;

namespace Dispatcher.UnitTests.Policies.Format;

/// <summary>policies/README.md is the only guide for authors, so its files and commands must work.</summary>
public sealed class GuideTests : IDisposable
{
    private readonly string _draft = Directory.CreateTempSubdirectory("draft").FullName;

    public GuideTests() => GuideFiles.WriteDraft(_draft);

    public static TheoryData<string> Commands() => [.. GuideFiles.Commands];

    public void Dispose() => Directory.Delete(_draft, recursive: true);

    [Fact]
    public void Every_block_names_a_file_that_a_bundle_reads()
    {
        Assert.Equal(
            ["cases/freeze.yaml", "cases/report.yaml", "rules/freeze.yaml", "rules/report.yaml", "topics.yaml"],
            GuideFiles.Yaml.Select(block => block.Path).Order(StringComparer.Ordinal)
        );
        Assert.Equal(
            ["cases/freeze.yaml", "cases/report.yaml", "rules/freeze.yaml", "rules/report.yaml", "schemas/report-build.json"],
            BundleFolder
                .Read(_draft)
                .Select(file => file.Path)
                .Except(BundleFolder.Read(Path.Combine(Repository.Root, "policies")).Select(file => file.Path))
        );
    }

    [Fact]
    public void Guide_files_load_and_pass_and_no_rule_is_removable()
    {
        var files = BundleFolder.Read(_draft);
        var report = PolicyTest.Run(files, ABundle.Now);

        Assert.Empty(Bundle.Load(files).Errors);
        Assert.Empty(report.Errors);
        Assert.Empty(report.Cases.SelectMany(test => test.Differences.Select(difference => $"{test.Name}: {difference}")));
        Assert.Empty(report.Rules.Where(rule => !rule.IsMissed).Select(rule => rule.Id));
        Assert.Contains(report.Rules, rule => rule.Id == "report-freeze");
        Assert.Contains("job.report.build", Bundle.Load(files).Bundle!.JobClasses.Keys);
    }

    [Fact]
    public void Editor_schemas_accept_the_guide_files()
    {
        foreach ((var path, var text) in GuideFiles.Yaml.Where(block => block.Path != "topics.yaml"))
        {
            Assert.Empty(BundleFormat.Of(path.Split('/')[0]).SchemaErrors(text));
        }

        Assert.Empty(BundleFormat.Of("topics").SchemaErrors(File.ReadAllText(Path.Combine(_draft, "topics.yaml"))));
    }

    /// <summary>The rule that demonstrates the keys uses all of them.</summary>
    [Fact]
    public void Guide_shows_every_key_of_a_rule()
    {
        var rule = GuideFiles.Yaml.Single(block => block.Path == "rules/freeze.yaml").Text;

        var keys = SchemaWalk
            .Keys(BundleFormat.Of("rules").Root)
            .Where(key => key.SchemaPath is "#/$defs/rule" or "#/$defs/match" or "#/$defs/approval")
            .Select(key => key.Key);
        Assert.All(keys, key => Assert.Contains(key + ":", rule, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Guide_commands_parse(string command) =>
        Assert.Empty(RootCommandLine.Parse(GuideFiles.Words(command), Terminal.OfProcess).Errors.Select(error => error.Message));

    [Fact]
    public async Task Guide_commands_without_a_server_succeed()
    {
        string[][] local =
        [
            .. GuideFiles
                .Commands.Where(command =>
                    command.Contains("./draft", StringComparison.Ordinal) && !command.Contains(" diff ", StringComparison.Ordinal)
                )
                .Select(command => GuideFiles.Words(command.Replace("./draft", _draft, StringComparison.Ordinal))),
        ];
        Assert.Equal(["lint", "test", "explain"], local.Select(words => words[1]));

        foreach (var words in local)
        {
            var outcome = await CommandLineCall.RunAsync(words);

            Assert.True(outcome.Code == 0, outcome.Output + outcome.Error);
        }
    }
}
