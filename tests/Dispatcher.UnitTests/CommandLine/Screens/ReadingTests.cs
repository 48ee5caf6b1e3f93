using System.Text.Json;
using Dispatcher.CommandLine.Screens;

namespace Dispatcher.UnitTests.CommandLine.Screens;

/// <summary>Screens for people: lines that fit, with times to the millisecond, durations and codes.</summary>
public sealed class ReadingTests
{
    private const string Job = "01a22d33-3630-739e-a803-d48e9b09751e";
    private const int Width = 100;

    private static readonly string Timeline = """
        {"items":[
          {"entry_id":1,"at":"2026-11-30T23:59:59.105Z","kind":"held","attempt":0,"actor":"billing","detail":{"door":"http",
          "answer":{"verdict":"REQUIRE_APPROVAL","rules":["ask"],"reason":"people decide"}}},
          {"entry_id":2,"at":"2026-12-01T00:02:04.355Z","kind":"approved","attempt":0,"actor":"ana-cli",
          "detail":{"verdict":"approve","person":"ana","reason":"looked\u001b[2J at it"}},
          {"entry_id":3,"at":"2026-12-01T00:02:04.396Z","kind":"claimed","attempt":1,"actor":"w","detail":{"worker":"host/1"}},
          {"entry_id":4,"at":"2026-12-01T00:02:05.630Z","kind":"faulted","attempt":1,"actor":"w","detail":{"worker":"host/1",
          "started_at":"2026-12-01T00:02:04.400Z","ended_at":"2026-12-01T00:02:05.600Z",
            "fault":{"class":"terminal","code":"exit:1","type":"ProcessFault",
            "message":"it broke in a way that takes many words to tell, far more than fit beside the rest"},
            "dead_letter_id":"JOB"}}
        ]}
        """.Replace("JOB", Job, StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"env":"dev","n":["a","b"]}""", "env=dev n=a,b")]
    [InlineData("""{"note":"x env=dev"}""", "note=\"x env=dev\"")]
    [InlineData("""{"a":"\nstate      approved"}""", "a=\"\\nstate      approved\"")]
    [InlineData("""{"n":"a, b","m":["a,b"]}""", "n=\"a, b\" m=\"a,b\"")]
    [InlineData("""{"a b":"c\"d"}""", "\"a b\"=\"c\\\"d\"")]
    public void Value_cannot_look_like_another_member(string members, string shown) =>
        Assert.Equal(shown, JsonDocument.Parse(members).RootElement.AsText());

    [Fact]
    public async Task Timeline_has_a_line_for_each_entry_with_milliseconds_and_durations()
    {
        var lines = await LinesAsync($"GET /api/jobs/{Job}/timeline", Timeline, null, "jobs", "timeline", Job);

        Assert.Equal("2026-11-30 UTC, 4 steps in 2 min 6 s", lines[0]);
        Assert.Equal(6, lines.Length);
        Assert.Matches(@"^23:59:59\.105 +held +billing +REQUIRE_APPROVAL by ask; people decide$", lines[2]);
        Assert.Matches(@"^12-01 00:02:04\.355 +2 min 5 s +approved +ana-cli +ana: approve; looked\\u001b\[2J at it$", lines[3]);
        Assert.Matches(@"^12-01 00:02:04\.396 +41 ms +claimed +1 +w +on host/1$", lines[4]);
        Assert.Matches(
            @"^12-01 00:02:05\.630 +1\.234 s +faulted +1 +w +terminal: exit:1: ProcessFault: it broke .*"
                + @"; on host/1; ran 1\.2 s; dead letter "
                + Job
                + "$",
            lines[5]
        );
    }

    [Fact]
    public async Task Lists_fit_100_columns_with_uncut_ids()
    {
        var id = new string('i', 36);
        var words = string.Join(' ', Enumerable.Repeat("word", 40));
        (string Request, string Body, string[] Verb)[] lists =
        [
            ($"GET /api/jobs/{Job}/timeline", Timeline, ["jobs", "timeline", Job]),
            (
                "GET /api/jobs",
                $$"""
                {"items":[{"job_id":"{{id}}","topic":"job.integrations.call","principal":"{{words}}","state":"dead_lettered",
                "attempt":3,"fault_class":"terminal","updated_at":"2026-11-30T00:00:00Z"}]}
                """,
                ["jobs", "list"]
            ),
            (
                "GET /api/dead-letters",
                $$"""
                {"items":[{"dead_letter_id":"{{id}}","fault_class":"terminal","owner":"platform","topic":"job.integrations.call",
                "principal":"{{words}}","fault":{"code":"unknown_recipe"},"at":"2026-11-30T00:00:00Z"}]}
                """,
                ["dead-letters", "list"]
            ),
            (
                "GET /api/approvals",
                $$"""
                {"items":[{"approval_id":"{{id}}-1","view_hash":"0123456789abcdef","risk":"high","topic":"job.deploy.apply",
                "principal":"billing","reason":"{{words}}","missing":"1 approver","payload_excerpt":"{{words}}"}]}
                """,
                ["approvals", "list"]
            ),
            (
                "GET /api/keys",
                $$"""
                {"items":[{"key_id":"{{id}}","subject":"{{words}}","person":"ana","roles":["approver"],"groups":["sre"],
                "created_at":"2026-11-30T00:00:00Z"}]}
                """,
                ["keys", "list"]
            ),
            (
                $"GET /api/jobs/{Job}/attempts",
                $$"""
                {"items":[{"attempt":1,"state":"faulted","worker":"{{words}}","fault":{"class":"terminal","code":"exit:1","type":"T",
                "message":"{{words}}"} }]}
                """,
                ["jobs", "attempts", Job]
            ),
        ];
        foreach (var (request, body, verb) in lists)
        {
            var lines = await LinesAsync(request, body, Width, verb);

            Assert.True(verb[0] is not "approvals" || lines[1].Contains("missing 1 approver", StringComparison.Ordinal), lines[1]);

            Assert.All(lines, line => Assert.InRange(line.Length, 0, Width));
            Assert.True(
                verb[1] is "timeline" or "attempts" || lines.Any(line => line.Contains(id, StringComparison.Ordinal)),
                string.Join('\n', lines)
            );
        }
    }

    [Fact]
    public async Task Job_list_shows_the_whole_topic_in_100_columns()
    {
        const string page = """
            {"items":[{"job_id":"01a22d33-3630-739e-a803-d48e9b09751e","topic":"job.deploy.apply","principal":"admin","state":"succeeded",
            "attempt":1,"updated_at":"2026-11-30T00:00:00Z"}]}
            """;

        var lines = await LinesAsync("GET /api/jobs", page, Width, "jobs", "list");

        Assert.Contains(" job.deploy.apply ", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Timeline_of_one_entry_has_one_step()
    {
        const string one = """{"items":[{"entry_id":1,"at":"2026-11-30T23:59:59.105Z","kind":"denied","attempt":0,"actor":"billing"}]}""";

        var lines = await LinesAsync($"GET /api/jobs/{Job}/timeline", one, null, "jobs", "timeline", Job);

        Assert.Equal("2026-11-30 UTC, 1 step in 0 ms", lines[0]);
    }

    [Fact]
    public async Task Fields_in_a_file_have_no_trailing_spaces_and_are_not_cut()
    {
        var words = string.Join(' ', Enumerable.Repeat("word", 80));

        var lines = await LinesAsync(
            "GET /api/approvals/a-1",
            """{"approval_id":"a-1","view_hash":"v","state":"held","shown":{"reason":"WORDS","payload":"[\\n  1\\n]"}}""".Replace(
                "WORDS",
                words,
                StringComparison.Ordinal
            ),
            null,
            "approvals",
            "show",
            "a-1"
        );

        Assert.All(lines, line => Assert.Equal(line.TrimEnd(), line));
        Assert.Contains("state      held", lines);
        Assert.Contains("reason     " + words, lines);
    }

    [Fact]
    public async Task Approval_that_does_not_wait_shows_no_deadline_of_another_state()
    {
        foreach (var (state, shown) in new[] { ("held", "decide by"), ("approved", "use by"), ("consumed", "") })
        {
            var lines = await LinesAsync(
                "GET /api/approvals/a-1",
                $$"""
                {"approval_id":"a-1","view_hash":"v","state":"{{state}}","decide_by":"2026-11-30T00:00:00Z","use_by":"2026-11-30T00:00:00Z"}
                """,
                null,
                "approvals",
                "show",
                "a-1"
            );

            var deadlines = lines.Where(line => line.Contains(" by ", StringComparison.Ordinal)).Select(line => line[..9].Trim());
            Assert.Equal(shown.Length == 0 ? [] : [shown], deadlines);
        }
    }

    [Fact]
    public async Task Approval_shows_limits_and_requirement_in_words()
    {
        const string approval = """
            {"approval_id":"a-1","view_hash":"v","state":"held","shown":{"payload":"{\"recipe\":\"web\"}",
            "constraints":{"allowed_hosts":["a.test","b.test"],"timeout_ms":5},
             "requirement":{"groups":{"editors":1,"sre-oncall":2},"exclude":["requester","crm"],"decide_within_s":14400,
             "use_within_s":1800,"covers":"retries","on_policy_change":"invalidate"}}}
            """;

        var shown = string.Join('\n', await LinesAsync("GET /api/approvals/a-1", approval, null, "approvals", "show", "a-1"));
        var listed = await LinesAsync(
            "GET /api/approvals",
            """{"items":[{"approval_id":"a-1","view_hash":"v","payload_excerpt":"{\"recipe\":\"web\"}"}]}""",
            null,
            "approvals",
            "list"
        );

        Assert.Contains(
            "1 of editors and 2 of sre-oncall; not requester, crm; within 4 h; to use within 30 min; also for the "
                + "retries; falls with any change of the policies",
            shown,
            StringComparison.Ordinal
        );
        Assert.Contains("allowed_hosts=a.test,b.test timeout_ms=5", shown, StringComparison.Ordinal);
        Assert.Equal(3, listed.Length);
        Assert.Contains("""{"recipe":"web"}""", listed[2], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dead_letter_shows_the_code_and_the_payload_of_its_job()
    {
        await using var server = (await CannedServer.StartAsync())
            .Answers(
                $"GET /api/dead-letters/{Job}",
                200,
                $$"""
                {"dead_letter_id":"{{Job}}","job_id":"{{Job}}","fault":{"class":"terminal","code":"unknown_recipe","type":"T",
                "message":"m"},"errors":[]}
                """
            )
            .Answers($"GET /api/jobs/{Job}", 200, """{"payload":{"recipe":"web"}}""");

        var text = await server.RunAsync("dead-letters", "show", Job);
        var json = await server.RunAsync("dead-letters", "show", Job, "--json");

        Assert.Contains("terminal: unknown_recipe: T: m", text.Output, StringComparison.Ordinal);
        Assert.Contains("""{"recipe":"web"}""", text.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("web", json.Output, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Object, JsonDocument.Parse(json.Output).RootElement.ValueKind);
    }

    [Theory]
    [InlineData(0.041, "41 ms")]
    [InlineData(1.234, "1.234 s")]
    [InlineData(60, "1 min")]
    [InlineData(125, "2 min 5 s")]
    [InlineData(86_400, "24 h")]
    [InlineData(273_600, "3 d 4 h")]
    [InlineData(-0.5, "-500 ms")]
    public void Duration_has_its_largest_units(double seconds, string words) =>
        Assert.Equal(words, Durations.Words(TimeSpan.FromSeconds(seconds)));

    private static async Task<string[]> LinesAsync(string request, string body, int? width, params string[] verb)
    {
        await using var server = (await CannedServer.StartAsync()).Answers(request, 200, body);
        var outcome = await server.RunAsync(width, verb);
        Assert.True(outcome.Code == 0, outcome.Error);
        return outcome.Output.TrimEnd('\n').Split('\n');
    }
}
