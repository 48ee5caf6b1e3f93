namespace Dispatcher.UnitTests.CommandLine;

/// <summary>Exit codes of <c>policy explain</c> and <c>policy diff</c>: no is an answer, wrong use is none.</summary>
public sealed class PolicyAnswersTests : IDisposable
{
    private const string Topics = "version: v1\npools: {main: {}}\ntopics: {test.run: {pool: main, owner: team}}";
    private const string Rules = """
        version: v1
        rules:
          - {id: later, match: {topic: test.run, attempt_gte: 100}, decision: ALLOW}
          - {id: then, match: {topic: test.run}, decision: ALLOW, effective: {from: 2030-01-01T00:00:00Z, until: 2031-01-01T00:00:00Z}}
        """;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("dispatcher-policy-");

    public PolicyAnswersTests()
    {
        File.WriteAllText(Path.Combine(_folder.FullName, "topics.yaml"), Topics);
        File.WriteAllText(Path.Combine(_folder.CreateSubdirectory("rules").FullName, "a.yaml"), Rules);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("--attempt 0", "--attempt '0' is not allowed: write a whole number from 1 to 100.")]
    [InlineData("--attempt=-5", "--attempt '-5' is not allowed")]
    [InlineData("--attempt 101", "--attempt '101' is not allowed")]
    [InlineData("--attempt x", "--attempt 'x' is not allowed: write a whole number from 1 to 100.")]
    [InlineData("--at tomorrow", "--at 'tomorrow' is no RFC 3339 time")]
    [InlineData("--principal Bob", "--principal 'Bob' is not allowed: write 1 to 64 characters of a-z")]
    public async Task What_no_job_can_have_is_not_explained(string options, string message)
    {
        string[] given = options.StartsWith("--principal", StringComparison.Ordinal) ? [] : ["--principal", "ci"];

        var outcome = await CommandLineCall.RunAsync([
            "policy",
            "explain",
            "--policies",
            _folder.FullName,
            "--topic",
            "test.run",
            .. given,
            .. options.Split(' '),
        ]);

        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 1)]
    [InlineData("--attempt 100", 0)]
    [InlineData("--at 2030-06-01T00:00:00Z", 0)]
    [InlineData("--at 2031-01-01T00:00:00Z", 1)]
    public async Task A_job_is_explained_at_the_attempt_and_time_that_are_named(string options, int code)
    {
        var outcome = await CommandLineCall.RunAsync([
            "policy",
            "explain",
            "--policies",
            _folder.FullName,
            "--topic",
            "test.run",
            "--principal",
            "ci",
            .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        ]);

        Assert.Equal((code, ""), (outcome.Code, outcome.Error));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(3, 1)]
    public async Task Only_what_widens_makes_a_comparison_a_no(int widened, int code)
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "POST /api/policies/diff",
            200,
            $$"""{"widened":{{widened}},"changes":[]}"""
        );

        Assert.Equal(code, (await server.RunAsync("policy", "diff", "active", _folder.FullName)).Code);
    }

    [Theory]
    [InlineData("""["DENY to ALLOW"]""", 1)]
    [InlineData("[]", 0)]
    public async Task A_made_up_job_is_shown_as_such_and_one_that_widens_makes_a_comparison_a_no(string widened, int code)
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "POST /api/policies/diff",
            200,
            $$$"""
            {"widened":0,"changes":[],"unshown_rule_count":1,"unshown_rules":[{"rule":"pinned","change":"added","where":"rules/a.yaml:3",
            "made_up":{"topic":"test.run","principal":"somebody","labels":{"env":"dev"},"widened":{{{widened}}},"narrowed":[]}}]}
            """
        );

        var outcome = await server.RunAsync("policy", "diff", "active", _folder.FullName);

        Assert.Equal(code, outcome.Code);
        Assert.Contains(
            "changed rules that the recorded jobs do not show: 1. Each has a job that is made up; nobody submitted it.",
            outcome.Output,
            StringComparison.Ordinal
        );
        Assert.Matches(
            "pinned, added at rules/a.yaml:3, which no recorded job met\\s+job topic=test.run principal=somebody labels=env=dev",
            outcome.Output
        );
    }

    [Theory]
    [InlineData("nonexist")]
    [InlineData("ABCDEF0123")]
    [InlineData("0123")]
    public async Task What_names_no_bundle_is_wrong_use_and_not_sent(string bundle)
    {
        await using var server = await CannedServer.StartAsync();

        var outcome = await server.RunAsync("policy", "diff", "active", bundle);

        Assert.Equal(2, outcome.Code);
        Assert.Contains($"'{bundle}' is no bundle: there is no such folder", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(409)]
    public async Task A_comparison_that_is_refused_is_no_answer(int status)
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/policies/diff", status, """{"title":"Not found"}""");

        Assert.Equal(2, (await server.RunAsync("policy", "diff", "active", "0123456789")).Code);
    }
}
