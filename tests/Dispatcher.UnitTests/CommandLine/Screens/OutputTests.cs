using System.Text;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.UnitTests.CommandLine.Screens;

public sealed class OutputTests
{
    [Theory]
    [InlineData(0, "0 s ago")]
    [InlineData(59.9, "59 s ago")]
    [InlineData(60, "1 min ago")]
    [InlineData(3600, "1 h ago")]
    [InlineData(2 * 86400, "2 d ago")]
    [InlineData(-90, "in 1 min")]
    public void Age_has_one_unit(double seconds, string age) => Assert.Equal(age, Screen.Age(TimeSpan.FromSeconds(seconds)));

    [Fact]
    public async Task Untrusted_text_cannot_control_the_terminal()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/jobs",
            200,
            """{"items":[{"job_id":"[red]x[/]","topic":"\u001b[2Jt","principal":"a\nb\u202e"}]}"""
        );

        var outcome = await server.RunAsync("jobs", "list");

        Assert.Contains("""\u001b[2Jt""", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("""a\u000ab\u202e""", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("[red]x[/]", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Row_stays_one_line_without_a_terminal()
    {
        var wide = new string('w', 400);
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/jobs",
            200,
            $$"""{"items":[{"job_id":"1","topic":"{{wide}}","principal":"last"}]}"""
        );

        var outcome = await server.RunAsync("jobs", "list");

        Assert.Contains(
            outcome.Output.Split('\n'),
            line => line.Contains(wide, StringComparison.Ordinal) && line.Contains("last", StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Page_shows_the_next_cursor_and_the_query_is_escaped()
    {
        const string request = "GET /api/jobs?state=held&topic=job.%2A&limit=5&cursor=a%2Bb%26c";
        await using var server = (await CannedServer.StartAsync()).Answers(request, 200, """{"items":[],"next":"n+1"}""");

        var outcome = await server.RunAsync("jobs", "list", "--state", "held", "--topic", "job.*", "--limit", "5", "--cursor", "a+b&c");

        Assert.Equal(0, outcome.Code);
        Assert.Contains("--cursor 'n+1'", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Key_creation_sends_all_options()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/keys", 201, """{"key_id":"k1","key":"s"}""");

        await server.RunAsync("keys", "create", "--subject", "ci", "--person", "ada", "--role", "producer", "--group", "sre");

        Assert.Equal(
            """{"subject":"ci","person":"ada","roles":["producer"],"groups":["sre"]}""",
            Encoding.UTF8.GetString(server.Requests[0].Body)
        );
    }

    [Fact]
    public async Task Revocation_is_confirmed()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("DELETE /api/keys/k1", 204, "");

        var shown = await server.RunAsync("keys", "revoke", "k1");
        var json = await server.RunAsync("keys", "revoke", "k1", "--json");

        Assert.Equal((0, "key k1 is revoked" + Environment.NewLine), (shown.Code, shown.Output));
        Assert.Equal((0, """{"key_id":"k1","revoked":true}""" + Environment.NewLine), (json.Code, json.Output));
    }

    [Fact]
    public async Task Failed_status_does_not_refer_to_the_status_verb()
    {
        await using var server = (await CannedServer.StartAsync())
            .Answers("GET /api/status", 503, """{"title":"Not ready"}""")
            .Answers("GET /api/jobs", 503, """{"title":"Not ready"}""");

        Assert.DoesNotContain("dispatcher status", (await server.RunAsync("status")).Error, StringComparison.Ordinal);
        Assert.Contains("dispatcher status", (await server.RunAsync("jobs", "list")).Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_without_database_shows_readiness()
    {
        await using var server = (await CannedServer.StartAsync())
            .Answers("GET /api/status", 503, """{"title":"Not ready"}""")
            .Answers("GET /health/ready", 503, """{"ready":false,"checks":{"store":"failing"}}""");

        var outcome = await server.RunAsync("status");

        Assert.Equal(1, outcome.Code);
        Assert.Contains("check store  failing", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_of_an_unready_server_exits_with_1()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/status",
            200,
            """{"ready":false,"checks":{"broker":"no connection"}}"""
        );

        var outcome = await server.RunAsync("status");

        Assert.Equal(1, outcome.Code);
        Assert.Contains("no connection", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_with_only_a_note_exits_with_0_and_prints_no_escape_in_a_name()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/status",
            200,
            """
            {"ready":true,"problems":[{"severity":"info","problem":"Dead letters wait","runbook":"ops/runbook.md#x"}],
            "processes":[{"host":"one\u001b[31m","pid":1,"version":"1.0"}]}
            """
        );

        var outcome = await server.RunAsync("status");

        Assert.Equal(0, outcome.Code);
        Assert.Matches("^note +Dead letters wait", outcome.Output);
        Assert.DoesNotContain('\e', outcome.Output);
    }

    [Fact]
    public async Task Status_shows_problems_first_with_age_and_runbook_and_exits_with_1()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/status",
            200,
            """
            {"version":"1.0","ready":true,"checks":{"store":"ok"},"policy_hash":"abc","warnings":["frozen"],
            "problems":[{"problem":"The outbox is old","since":"2026-01-01T00:00:00Z","runbook":"ops/runbook.md#x"},
                {"problem":"A pool has no worker","since":null,"runbook":"ops/runbook.md#y"}],
            "processes":[{"host":"one","pid":1,"version":"1.0","policy_hash":"other","seen_at":"2026-01-01T00:00:00Z","stale":true}],
            "queues":{"dispatcher.server.intake":{"messages":0,"consumers":1},
                "dispatcher.server.intake.parked":{"messages":0,"consumers":0}},
            "outbox":{"waiting":2,"parked":0,"oldest_at":"2026-01-01T00:00:00Z"},"dead_letters":{"ops":{"open":1,"breach":true}}}
            """
        );

        var outcome = await server.RunAsync("status");
        var json = await server.RunAsync("status", "--json");

        Assert.Equal((1, 1), (outcome.Code, json.Code));
        var lines = outcome.Output.Split('\n');
        Assert.Matches("^PROBLEM +The outbox is old$", lines[0].TrimEnd());
        Assert.Matches(@"^ +since \d+ d ago \(2026-01-01 00:00:00\.000 UTC\); see ops/runbook\.md#x$", lines[1].TrimEnd());
        Assert.Matches("^PROBLEM +A pool has no worker$", lines[2].TrimEnd());
        Assert.Matches("^warning +frozen$", lines[4].TrimEnd());
        Assert.Contains("bundle=other (differs) seen", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("(stale)", outcome.Output, StringComparison.Ordinal);
        Assert.Matches(@"dead letters of ops +open=1 breach=true", outcome.Output);
        Assert.Matches(@"outbox +waiting=2 parked=0 \(oldest \d+ d ago\)", outcome.Output);
        Assert.DoesNotContain("intake.parked", outcome.Output, StringComparison.Ordinal);
    }
}
