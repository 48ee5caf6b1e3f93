namespace Dispatcher.UnitTests.CommandLine.Policies;

/// <summary>Exit codes of <c>policy explain</c> and <c>policy diff</c>: 1 is an answer, 2 is wrong use.</summary>
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
    [InlineData("--at tomorrow", "--at 'tomorrow' is not an RFC 3339 time")]
    [InlineData("--principal Bob", "--principal 'Bob' is not allowed: write 1 to 64 characters of a-z")]
    public async Task Explain_refuses_invalid_options(string options, string message)
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
    public async Task Explain_uses_the_given_attempt_and_time(string options, int code)
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
    public async Task Diff_exits_with_1_only_when_decisions_widen(int widened, int code)
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
    public async Task Diff_marks_a_made_up_job_and_exits_with_1_when_it_widens(string widened, int code)
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
            "changed rules whose effect the recorded jobs do not show: 1. Each has a made-up job; it was never submitted.",
            outcome.Output,
            StringComparison.Ordinal
        );
        Assert.Matches(
            "pinned, added at rules/a.yaml:3, which matches no recorded job\\s+job topic=test.run principal=somebody labels=env=dev",
            outcome.Output
        );
    }

    [Theory]
    [InlineData("nonexist")]
    [InlineData("ABCDEF0123")]
    [InlineData("0123")]
    public async Task Diff_does_not_send_an_invalid_bundle_name(string bundle)
    {
        await using var server = await CannedServer.StartAsync();

        var outcome = await server.RunAsync("policy", "diff", "active", bundle);

        Assert.Equal(2, outcome.Code);
        Assert.Contains($"'{bundle}' is not a bundle: neither an existing folder", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(400)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(409)]
    public async Task Refused_diff_exits_with_2(int status)
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/policies/diff", status, """{"title":"Not found"}""");

        Assert.Equal(2, (await server.RunAsync("policy", "diff", "active", "0123456789")).Code);
    }
}
