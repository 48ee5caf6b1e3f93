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
}
