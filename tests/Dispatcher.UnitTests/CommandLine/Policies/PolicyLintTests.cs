using System.Text.Json;

namespace Dispatcher.UnitTests.CommandLine.Policies;

public sealed class PolicyLintTests : IDisposable
{
    private const string Topics = "version: v1\npools: {main: {}}\ntopics: {test.run: {pool: main, owner: team}}";
    private const string Word =
        "version: v1\nrules:\n  - {id: a, match: {topic: test.run, labels: {env: dev}, workflow_id: w, attempt_gte: 2}, decision: ALLOW}";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-lint-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("ALLOW", 0)]
    [InlineData("ALOW", 1)]
    public async Task Lint_exits_with_1_only_for_errors(string decision, int code)
    {
        Write(Topics, Word.Replace("ALLOW", decision, StringComparison.Ordinal));

        var outcome = await CommandLineCall.RunAsync("policy", "lint", _folder.FullName);

        Assert.Equal(code, outcome.Code);
        Assert.Empty(outcome.Error);
    }

    [Fact]
    public async Task Shipped_bundle_passes_the_strict_lint()
    {
        var outcome = await CommandLineCall.RunAsync("policy", "lint", Path.Combine(Repository.Root, "policies"), "--strict");

        Assert.True(outcome.Code == 0, outcome.Output);
        Assert.Contains("0 errors, 0 warnings", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Strict_lint_exits_with_1_for_a_warning()
    {
        Write(Topics, Word);

        var outcome = await CommandLineCall.RunAsync("policy", "lint", _folder.FullName, "--strict");

        Assert.Equal(1, outcome.Code);
    }

    [Fact]
    public async Task Lint_prints_findings_witnesses_and_a_count()
    {
        Write(Topics, Word);

        var lines = (await CommandLineCall.RunAsync("policy", "lint", _folder.FullName)).Output.TrimEnd().Split('\n');

        var at = Array.FindIndex(lines, line => line.StartsWith("rules/a.yaml:3: warning producers_word: ", StringComparison.Ordinal));
        Assert.Contains(" Fix: ", lines[at], StringComparison.Ordinal);
        Assert.Equal(
            """
                {"principal":"somebody","topic":"test.run","labels":{"env":"dev"},"risk_tags":[],"payload":{},"workflow_id":"w",
            "attempt":2}
            """.ReplaceLineEndings(""),
            lines[at + 1]
        );
        Assert.Equal("0 errors, 3 warnings, 1 infos", lines[^1]);
    }

    [Fact]
    public async Task Lint_with_json_prints_one_document()
    {
        Write(Topics, Word);

        var outcome = await CommandLineCall.RunAsync("policy", "lint", _folder.FullName, "--json");

        using var document = JsonDocument.Parse(outcome.Output);
        var finding = document
            .RootElement.GetProperty("findings")
            .EnumerateArray()
            .First(item => item.GetProperty("code").GetString() == "producers_word");
        Assert.Equal("warning", finding.GetProperty("severity").GetString());
        Assert.Equal("rules/a.yaml:3", finding.GetProperty("where").GetString());
        Assert.Equal("dev", finding.GetProperty("witness").GetProperty("labels").GetProperty("env").GetString());
        Assert.Equal(
            (0, 3),
            (document.RootElement.GetProperty("errors").GetInt32(), document.RootElement.GetProperty("warnings").GetInt32())
        );
    }

    [Fact]
    public async Task Missing_folder_exits_with_2()
    {
        var outcome = await CommandLineCall.RunAsync("policy", "lint", Path.Combine(_folder.FullName, "none"));

        Assert.Equal(2, outcome.Code);
        Assert.Contains(" does not exist.", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task File_instead_of_a_folder_exits_with_2()
    {
        Write(Topics, Word);

        var outcome = await CommandLineCall.RunAsync("policy", "lint", Path.Combine(_folder.FullName, "topics.yaml"));

        Assert.Equal(2, outcome.Code);
        Assert.Contains("is a file, not a folder", outcome.Error, StringComparison.Ordinal);
    }

    private void Write(string topics, string rules)
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "topics.yaml"), topics);
        File.WriteAllText(Path.Combine(_folder.CreateSubdirectory("rules").FullName, "a.yaml"), rules);
    }
}
