using System.Text.Json;

namespace Dispatcher.UnitTests.CommandLine;

public sealed class ApprovalsTests
{
    private const string Name = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10-1";
    private static readonly string[] Fields = ["job_hash", "policy_hash", "view_hash", "reason"];
    private static readonly string View = string.Concat(Enumerable.Repeat("0123456789abcdef", 4));
    private static readonly string Shown = $$"""{"approval_id":"{{Name}}","job_hash":"jj","policy_hash":"pp","view_hash":"{{View}}"}""";

    [Theory]
    [InlineData("approve")]
    [InlineData("reject")]
    public async Task Vote_sends_the_hashes_of_the_shown_approval(string verdict)
    {
        await using var server = (await CannedServer.StartAsync())
            .Answers($"GET /api/approvals/{Name}", 200, Shown)
            .Answers(
                $"POST /api/approvals/{Name}/{verdict}",
                200,
                $$"""{"approval_id":"{{Name}}","state":"held","job_state":"held","missing":"1 of sre"}"""
            );

        var outcome = await server.RunAsync("approvals", verdict, Name, "--view", View[..8], "--reason", "checked it");

        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("1 of sre", outcome.Output, StringComparison.Ordinal);
        var vote = JsonDocument.Parse(server.Requests[1].Body).RootElement;
        Assert.Equal(["jj", "pp", View, "checked it"], Fields.Select(field => vote.GetProperty(field).GetString()));
    }

    [Theory]
    [InlineData("ffffffff", 1, "--view is ffffffff, but the view hash of the approval is now 0123456789abcdef")]
    [InlineData("0123456", 2, "--view 0123456 has 7 digits; at least 8 are required.")]
    [InlineData("", 2, "has 0 digits; at least 8 are required.")]
    public async Task Vote_with_another_or_too_short_view_hash_is_not_sent(string view, int code, string error)
    {
        await using var server = (await CannedServer.StartAsync()).Answers($"GET /api/approvals/{Name}", 200, Shown);

        var outcome = await server.RunAsync("approvals", "approve", Name, "--view", view, "--reason", "in a hurry");

        Assert.Equal((code, ""), (outcome.Code, outcome.Output));
        Assert.Contains(error, outcome.Error, StringComparison.Ordinal);
        Assert.Contains("approvals show", outcome.Error, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Vote_requires_view_hash_and_reason()
    {
        await using var server = await CannedServer.StartAsync();

        Assert.Equal(2, (await server.RunAsync("approvals", "approve", Name, "--reason", "x")).Code);
        Assert.Equal(2, (await server.RunAsync("approvals", "approve", Name, "--view", View)).Code);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Refused_vote_exits_with_1()
    {
        await using var server = (await CannedServer.StartAsync())
            .Answers($"GET /api/approvals/{Name}", 200, Shown)
            .Answers(
                $"POST /api/approvals/{Name}/approve",
                403,
                """{"title":"This person may not vote on this job","detail":"own job","status":403}"""
            );

        var outcome = await server.RunAsync("approvals", "approve", Name, "--view", View, "--reason", "mine");

        Assert.Equal((1, ""), (outcome.Code, outcome.Output));
        Assert.Contains("own job", outcome.Error, StringComparison.Ordinal);
    }

    /// <summary>The role is correct: a hint about roles would mislead.</summary>
    [Fact]
    public async Task Vote_without_the_group_shows_the_fix_of_the_server()
    {
        await using var server = (await CannedServer.StartAsync())
            .Answers($"GET /api/approvals/{Name}", 200, Shown)
            .Answers(
                $"POST /api/approvals/{Name}/approve",
                403,
                """{"title":"t","detail":"only of groups sre","code":"not_in_group","fix":"Let somebody vote who is in sre."}"""
            );

        var outcome = await server.RunAsync("approvals", "approve", Name, "--view", View, "--reason", "mine");

        Assert.Contains("fix: Let somebody vote who is in sre.", outcome.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("roles", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Watch_prints_each_approval_once_and_ends_on_a_refusal()
    {
        var line = $$"""{"approval_id":"{{Name}}","risk":"high","topic":"a.b","principal":"billing","reason":"look"}""";
        await using var server = (await CannedServer.StartAsync())
            .Answers("GET /api/approvals?limit=500", 200, $$"""{"items":[{{line}}],"next":null}""")
            .Answers("GET /api/approvals?limit=500", 200, $$"""{"items":[{{line}}],"next":null}""")
            .Answers("GET /api/approvals?limit=500", 403, """{"title":"no","detail":"revoked","status":403}""");

        var outcome = await server.RunAsync("approvals", "watch", "--json");

        // A line for each, and at the end what the server said.
        Assert.Equal(1, outcome.Code);
        Assert.Equal(
            [line, """{"title":"no","detail":"revoked","status":403}"""],
            outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        );
    }
}
