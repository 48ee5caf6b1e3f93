using System.Security.Claims;
using System.Text.Json;
using Dispatcher.Approvals;
using Dispatcher.Enforcement;
using Dispatcher.Jobs;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies;
using Dispatcher.Web;

namespace Dispatcher.UnitTests.Approvals;

/// <summary>Lists and views of held and decided approvals.</summary>
public sealed class ApprovalListTests
{
    private const string Ask =
        "id: ask, match: { topic: test.run, labels: { env: prod } }, decision: REQUIRE_APPROVAL, reason: look first, "
        + "constraints: { timeout_ms: 5000, allowed_hosts: [api.test] }, approval: { groups: { dev: 1 } }";

    [Fact]
    public async Task Approval_shows_the_job_its_handler_and_its_constraints()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var held = await stage.HeldAsync("""{ "n" : 1e2 }""");

        var shown = await stage.ShownAsync(held, stage.Ana);

        Assert.Equal(
            ($"{held}-1", "held", "high", "1 of dev"),
            (Text(shown, "approval_id"), Text(shown, "state"), Text(shown, "risk"), Text(shown, "missing"))
        );
        Assert.Equal(JsonValueKind.Null, shown.GetProperty("why_not").ValueKind);
        var facts = shown.GetProperty("shown");
        Assert.Equal(
            ("test.run", "producer", """{ "n" : 1e2 }""", "look first"),
            (Text(facts, "topic"), Text(facts, "principal"), Text(facts, "payload"), Text(facts, "reason"))
        );
        Assert.Equal(["ask"], facts.GetProperty("rules").EnumerateArray().Select(rule => rule.GetString()));
        Assert.Equal("api.test", facts.GetProperty("constraints").GetProperty("allowed_hosts")[0].GetString());
        Assert.Equal(
            ("main", 5000),
            (Text(shown.GetProperty("will_run"), "pool"), shown.GetProperty("will_run").GetProperty("timeout_ms").GetInt32())
        );
        Assert.Equal(86_400, facts.GetProperty("requirement").GetProperty("decide_within_s").GetInt64());
    }

    [Fact]
    public async Task List_has_votable_approvals_and_on_request_all_with_the_reason_for_no_vote()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        await stage.HeldAsync();

        Assert.Single(await ListAsync(stage, stage.Ana));
        Assert.Empty(await ListAsync(stage, stage.Bo));
        Assert.Equal("not_in_group", Text(Assert.Single(await ListAsync(stage, stage.Bo, "?mine=false")).GetProperty("why_not"), "code"));
        Assert.Equal(
            "own_job",
            Text(
                Assert.Single(await ListAsync(stage, VotingStage.Caller("producer", "pat", "dev"), "?mine=false")).GetProperty("why_not"),
                "code"
            )
        );
        Assert.Equal("no_approver", Text(Assert.Single(await ListAsync(stage, Operator(), "?mine=false")).GetProperty("why_not"), "code"));
    }

    [Fact]
    public async Task Decided_approval_leaves_the_list_and_is_found_by_its_state()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var (first, second) = (await stage.HeldAsync(), await stage.HeldAsync());
        await stage.VoteAsync(first, "approve", stage.Ana);

        Assert.Equal($"{second}-1", Text(Assert.Single(await ListAsync(stage, stage.Ana)), "approval_id"));
        Assert.Equal($"{first}-1", Text(Assert.Single(await ListAsync(stage, stage.Ana, "?state=approved")), "approval_id"));
        Assert.Empty(await ListAsync(stage, stage.Ana, "?state=rejected"));
    }

    [Fact]
    public async Task List_is_ordered_by_age_and_limited()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var jobs = new[] { await stage.HeldAsync(), await stage.HeldAsync(), await stage.HeldAsync() };

        Assert.Equal(
            jobs.Take(2).Select(job => $"{job}-1"),
            (await ListAsync(stage, stage.Ana, "?limit=2")).Select(shown => Text(shown, "approval_id"))
        );
    }

    [Fact]
    public async Task List_shows_principal_topic_reason_and_the_beginning_of_the_payload()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        await stage.HeldAsync($$"""{ "recipe": "web", "more": "x{{new string('ä', 200)}}last" }""");

        var listed = Assert.Single(await ListAsync(stage, stage.Ana));

        Assert.Equal(
            ("test.run", "producer", "look first", "high", "1 of dev"),
            (Text(listed, "topic"), Text(listed, "principal"), Text(listed, "reason"), Text(listed, "risk"), Text(listed, "missing"))
        );
        // 256 bytes end in the middle of a character.
        Assert.Equal($$"""{ "recipe": "web", "more": "x{{new string('ä', 113)}}…""", Text(listed, "payload_excerpt"));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public async Task Pages_are_ordered_by_risk_and_skip_approvals_the_caller_may_not_decide(int limit)
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        await stage.ActivateAsync(
            ABundle
                .WithRules(Ask, "id: sre, match: { topic: test.quick }, decision: REQUIRE_APPROVAL, approval: { groups: { sre: 1 } }")
                .AndFile(
                    "topics.yaml",
                    """
                    version: v1
                    pools:
                      main: { enforcers: [allowed_hosts, timeout_ms] }
                    topics:
                      test.run: { pool: main, owner: team }
                      test.quick: { pool: main, owner: team, risk: low }
                    """
                )
        );
        var jobs = new List<Guid>();
        for (var i = 0; i < 3; i++)
        {
            jobs.Add(await stage.HeldAsync());
            Assert.Equal(202, (await stage.SubmitAsync("producer", "prod", topic: "test.quick")).Status);
        }

        var seen = new List<string?>();
        for (var next = ""; next is not null; )
        {
            var (_, page) = await stage.Server.AskAsync(
                "GET",
                "/api/approvals/",
                stage.Ana,
                $"?limit={limit}{(next.Length == 0 ? "" : "&cursor=" + next)}"
            );
            Assert.True(page.GetProperty("items").GetArrayLength() <= limit);
            seen.AddRange(page.GetProperty("items").EnumerateArray().Select(item => Text(item, "approval_id")));
            next = Text(page, "next");
        }

        Assert.Equal(jobs.Select(job => $"{job}-1"), seen);
        var all = await ListAsync(stage, stage.Ana, "?mine=false");
        Assert.Equal(["high", "high", "high", "low", "low", "low"], all.Select(item => Text(item, "risk")));
    }

    [Theory]
    [InlineData(ApprovalStates.Held, true)]
    [InlineData(ApprovalStates.Held, false)]
    [InlineData(ApprovalStates.Approved, false)]
    public async Task List_reads_no_result_and_of_the_payloads_of_its_page_only_the_first_bytes(string state, bool mine)
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var job = await stage.HeldAsync();
        if (state == ApprovalStates.Approved)
        {
            await stage.VoteAsync(job, "approve", stage.Ana);
        }

        var contexts = await RecordedContexts.OfAsync(stage.Server);
        var listed = await ListAsync(stage, contexts, new ApprovalQuery(state, mine, 50, ApprovalCursor.Start));

        Assert.Equal($"{job}-1", Assert.Single(listed.Items).ApprovalId);
        Assert.Empty(contexts.OfLargeColumns);
        var list = Assert.Single(contexts.Statements, statement => statement.Contains("payload", StringComparison.Ordinal));
        var keys = list.IndexOf("FROM (", StringComparison.Ordinal);
        Assert.Contains("payload", list[..keys], StringComparison.Ordinal);
        Assert.DoesNotContain("payload", list[keys..], StringComparison.Ordinal);
        Assert.Contains("LIMIT", list[keys..], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ApprovalStates.Held, true)]
    [InlineData(ApprovalStates.Approved, false)]
    [InlineData(ApprovalStates.Expired, false)]
    public async Task Only_held_approvals_are_sorted_by_risk(string state, bool byRisk)
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        await stage.ActivateAsync(
            ABundle
                .WithRules(Ask)
                .AndFile(
                    "topics.yaml",
                    """
                    version: v1
                    pools:
                      main: { enforcers: [allowed_hosts, timeout_ms] }
                    topics:
                      test.run: { pool: main, owner: team, risk: medium }
                    """
                )
        );

        var contexts = await RecordedContexts.OfAsync(stage.Server);
        await ListAsync(stage, contexts, new ApprovalQuery(state, false, 50, ApprovalCursor.Start));

        var list = Assert.Single(contexts.Statements, statement => statement.Contains("payload", StringComparison.Ordinal));
        var order = list[list.IndexOf("ORDER BY", StringComparison.Ordinal)..list.IndexOf("LIMIT", StringComparison.Ordinal)];
        Assert.Equal(byRisk, order.Contains("CASE", StringComparison.Ordinal));
        Assert.Contains("created_at", order, StringComparison.Ordinal);
    }

    [Fact]
    public async Task View_of_one_approval_reads_no_result()
    {
        await using var stage = await VotingStage.WithAsync(Ask);
        var job = await stage.HeldAsync();

        var contexts = await RecordedContexts.OfAsync(stage.Server);
        Assert.NotNull(await Reads(stage, contexts).FindAsync(job, null, stage.Ana, TestContext.Current.CancellationToken));

        Assert.DoesNotContain(contexts.Statements, statement => statement.Contains("\"result\"", StringComparison.Ordinal));
        Assert.Contains(contexts.Statements, statement => statement.Contains("\"payload\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("?state=asleep", "unknown_state ?state")]
    [InlineData("?limit=0", "bad_limit ?limit")]
    [InlineData("?cursor=page-2", "bad_cursor ?cursor")]
    public async Task Invalid_query_is_refused(string query, string error)
    {
        await using var stage = await VotingStage.WithAsync(Ask);

        var (status, body) = await stage.Server.AskAsync("GET", "/api/approvals/", stage.Ana, query);

        Assert.Equal(400, status);
        Assert.Equal([error], AServer.Errors(body));
    }

    private static ApprovalReads Reads(VotingStage stage, RecordedContexts contexts) =>
        new(contexts, stage.Server.Get<Approvers>(), stage.Server.Get<CurrentBundle>(), stage.Server.Get<StoreClock>());

    private static Task<Page<ApprovalSummary>> ListAsync(VotingStage stage, RecordedContexts contexts, ApprovalQuery query) =>
        Reads(stage, contexts).ListAsync(query, stage.Ana, TestContext.Current.CancellationToken);

    private static async Task<IReadOnlyList<JsonElement>> ListAsync(VotingStage stage, ClaimsPrincipal caller, string query = "") =>
        [.. (await stage.Server.AskAsync("GET", "/api/approvals/", caller, query)).Body.GetProperty("items").EnumerateArray()];

    private static ClaimsPrincipal Operator() =>
        new(new ClaimsIdentity([new(ClaimTypes.NameIdentifier, "ops"), new(ClaimTypes.Role, Role.Operator)], "test"));

    private static string? Text(JsonElement from, string name) => from.GetProperty(name).GetString();
}
