using System.Net;
using System.Net.Sockets;

namespace Dispatcher.UnitTests.CommandLine;

public sealed class ServerVerbsTests
{
    private const string Id = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10";

    /// <summary>Calls of every verb but submit: the request each makes, a good answer, and something that must be shown of it.</summary>
    private static readonly Dictionary<string, (string Request, string Answer, string Shown)> Calls = new()
    {
        ["jobs list"] = (
            "GET /api/jobs",
            $$"""
            { "items":[{"job_id":"{{Id}}","topic":"job.exec.shell","state":"held","attempt":0,
            "created_at":"2026-01-01T00:00:00Z"}],"next":null }
            """,
            "job.exec.shell"
        ),
        [$"jobs show {Id}"] = (
            $"GET /api/jobs/{Id}",
            $$"""
            {"job_id":"{{Id}}","labels":{"env":"dev"},"payload":{"n":1.0},"constraints":{"timeout_ms":5000},
            "created_at":"2026-01-01T00:00:00Z","more":1}
            """,
            """{"n":1.0}"""
        ),
        [$"jobs timeline {Id}"] = (
            $"GET /api/jobs/{Id}/timeline",
            """
            {"items":[{"entry_id":"1","at":"2026-01-01T00:00:00Z","kind":"accepted","attempt":null,"actor":"billing",
            "detail":{"verdict":"ALLOW","rules":["read"]}}]}
            """,
            "ALLOW by read"
        ),
        [$"jobs attempts {Id}"] = (
            $"GET /api/jobs/{Id}/attempts",
            """
            {"items":[{"attempt":1,"state":"ended","worker":"w1","outcome":"faulted","fault":{"class":"terminal","type":"Exit",
            "message":"code 1"}}]}
            """,
            "terminal: Exit: code 1"
        ),
        [$"jobs cancel {Id}"] = (
            $"POST /api/jobs/{Id}/cancel",
            $$"""{"job_id":"{{Id}}","state":"running","cancel_requested":true}""",
            "asked to stop"
        ),
        ["approvals list"] = (
            "GET /api/approvals",
            $$"""
            {"items":[{"approval_id":"{{Id}}-1","risk":"high","view_hash":"0123456789abcdef","missing":"2 of sre",
            "topic":"job.deploy.apply","principal":"billing","reason":"look first","created_at":"2026-01-01T00:00:00Z"}],
            "next":null}
            """,
            "0123456789ab"
        ),
        [$"approvals show {Id}-1"] = (
            $"GET /api/approvals/{Id}-1",
            $$"""
            {"approval_id":"{{Id}}-1","state":"held","shown":{"payload":"{ \"n\": 1e2 }"},"will_run":{"pool":"deploy",
            "timeout_ms":5},"votes":[{"person":"ana","verdict":"approve"}],"why_not":{"message":"own job"} }
            """,
            """{ "n": 1e2 }"""
        ),
        ["dead-letters list"] = (
            "GET /api/dead-letters",
            $$"""{"items":[{"dead_letter_id":"{{Id}}","at":"2026-01-01T00:00:00Z","fault_class":"in_doubt","owner":"sre"}]}""",
            "in_doubt"
        ),
        [$"dead-letters show {Id}"] = (
            $"GET /api/dead-letters/{Id}",
            $$"""
            {"dead_letter_id":"{{Id}}","errors":[{"code":"c","where":"body","message":"no JSON","fix":"send JSON"}],
            "body_base64":"eyJicm9rZW4=","body_length":8,"body_sha256":"ab"}
            """,
            "{\"broken"
        ),
        ["keys create --subject ci --role producer --group a --group b"] = (
            "POST /api/keys",
            """{"key_id":"k1","key":"dk_secret","subject":"ci","person":null,"roles":["producer"],"groups":["a","b"]}""",
            "dk_secret"
        ),
        ["keys list"] = (
            "GET /api/keys",
            """{"items":[{"key_id":"k1","subject":"ci","roles":["producer","approver"]}]}""",
            "producer, approver"
        ),
        ["policy status"] = (
            "GET /api/policies",
            """
            {"in_force":{"hash":"abab","pinned":true,"actor":"ada"},"folder":{"path":"/p","hash":"cdcd","errors":[]},
            "processes":[{"host":"h","pid":7,"stale":true}],"bundles":[{"hash":"efef"}]}
            """,
            "stale"
        ),
        ["policy activate 3f2b8c6d"] = (
            "POST /api/policies/activate",
            """{"hash":"3f2b8c6d4e","pinned":true}""",
            "bundle 3f2b8c6d4e is in force and pinned"
        ),
        ["policy unpin"] = (
            "POST /api/policies/unpin",
            """
            {"in_force":{"hash":"abab","pinned":false},"returned_to_folder":false,"folder":{"path":"/p",
            "errors":[{"where":"rules/a.yaml:3","message":"unknown key","code":"c","fix":"remove it"}]}}
            """,
            "bundle abab stays in force"
        ),
        ["freeze --pool shell --for 2h --reason broken"] = (
            "POST /api/freezes",
            """{"target":"pool","name":"shell","reason":"broken","actor":"ada","until":"2026-01-01T02:00:00Z"}""",
            "The dispatch of pool shell is frozen until"
        ),
        ["freeze list"] = (
            "GET /api/freezes",
            """{"in_force":[{"target":"all","name":null,"reason":"incident 42","actor":"ada"}],"past":[]}""",
            "incident 42"
        ),
        ["unfreeze --all --reason over"] = (
            "POST /api/freezes/unfreeze",
            """{"target":"all","name":null,"ended_by":"ada"}""",
            "The freeze of everything has ended."
        ),
        ["status"] = (
            "GET /api/status",
            """
            {"version":"1.0","ready":true,"checks":{"store":"ok"},"policy_hash":"ab","jobs":{"held":3},"outbox":{"rows":0},
            "pools":{"shell":{"workers":2}}}
            """,
            "workers=2"
        ),
    };

    public static TheoryData<string> Verbs() => [.. Calls.Keys];

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Verb_shows_the_answer(string verb)
    {
        var (request, answer, shown) = Calls[verb];
        await using var server = (await CannedServer.StartAsync()).Answers(request, 200, answer);

        var outcome = await server.RunAsync(verb.Split(' '));

        Assert.Equal(0, outcome.Code);
        Assert.Contains(shown, outcome.Output, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', outcome.Output);
        Assert.Equal(request, Assert.Single(server.Requests).Line);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Verb_with_json_prints_only_the_JSON_of_the_server(string verb)
    {
        var (request, answer, _) = Calls[verb];
        await using var server = (await CannedServer.StartAsync()).Answers(request, 200, answer);

        var outcome = await server.RunAsync([.. verb.Split(' '), "--json"]);

        Assert.Equal((0, answer + Environment.NewLine, ""), (outcome.Code, outcome.Output, outcome.Error));
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public async Task Exit_code_separates_refusal_wrong_use_and_server_fault(string verb)
    {
        foreach (var (status, code) in new[] { (400, 1), (401, 2), (403, 1), (404, 1), (409, 1), (429, 1), (302, 3), (500, 3), (503, 3) })
        {
            await using var server = (await CannedServer.StartAsync()).Answers(
                Calls[verb].Request,
                status,
                $$"""{"title":"the title","detail":"the detail","status":{{status}}}"""
            );

            var outcome = await server.RunAsync(verb.Split(' '));

            Assert.Equal((status, code, ""), (status, outcome.Code, outcome.Output));
            Assert.Contains($"the title (HTTP {status}", outcome.Error, StringComparison.Ordinal);
            Assert.Contains("the detail", outcome.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Policy_status_of_a_broken_folder_shows_errors_and_exits_with_1()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/policies",
            200,
            """
            {"in_force":null,"folder":{"path":"/p","hash":null,"errors":[{"where":"rules/a.yaml:3","message":"unknown key x",
            "code":"unknown_key","fix":"remove it"}]},"processes":[],"bundles":[]}
            """
        );

        var outcome = await server.RunAsync("policy", "status");

        Assert.Equal(1, outcome.Code);
        Assert.Contains("rules/a.yaml:3: unknown key x [unknown_key]", outcome.Output, StringComparison.Ordinal);
        Assert.Contains("none: every job is denied", outcome.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Refusal_with_json_prints_one_document()
    {
        const string problem = """{"title":"not found","status":404}""";
        await using var server = (await CannedServer.StartAsync()).Answers($"GET /api/jobs/{Id}", 404, problem);

        var outcome = await server.RunAsync("jobs", "show", Id, "--json");

        Assert.Equal((1, problem + Environment.NewLine), (outcome.Code, outcome.Output));
        Assert.Contains("not found", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Missing_server_exits_with_3_and_names_its_address()
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();

        var outcome = await CommandLineCall.RunAsync("status", "--url", $"http://127.0.0.1:{port}", "--api-key", "k");

        Assert.Equal((3, ""), (outcome.Code, outcome.Output));
        Assert.Contains($"127.0.0.1:{port}/api/status", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_of_another_program_exits_with_3()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("GET /api/status", 200, "<html>");

        var outcome = await server.RunAsync("status");

        Assert.Equal(3, outcome.Code);
        Assert.Contains("is not JSON", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Options_override_server_and_key_of_the_environment()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("GET /api/status", 200, """{"ready":true}""");
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "from-file\n", TestContext.Current.CancellationToken);
        var variables = new Dictionary<string, string> { ["DISPATCHER_URL"] = server.Url + "/", ["DISPATCHER_API_KEY_FILE"] = file };

        await CommandLineCall.RunAsync(["status"], variables, "");
        variables["DISPATCHER_API_KEY"] = "from-variable";
        await CommandLineCall.RunAsync(["status"], variables, "");
        await CommandLineCall.RunAsync(["status", "--api-key", "from-option"], variables, "");
        File.Delete(file);

        Assert.Equal(
            ["Bearer from-file", "Bearer from-variable", "Bearer from-option"],
            server.Requests.Select(request => request.Authorization)
        );
    }

    [Theory]
    [InlineData("DISPATCHER_API_KEY", "", "No API key is set")]
    [InlineData("DISPATCHER_API_KEY_FILE", "/no/such/file", "DISPATCHER_API_KEY_FILE: cannot read '/no/such/file'")]
    [InlineData("DISPATCHER_API_KEY", "two words", "spaces, line breaks or characters outside ASCII")]
    public async Task Missing_or_invalid_key_exits_with_2(string variable, string value, string message)
    {
        var outcome = await CommandLineCall.RunAsync(["status"], new() { [variable] = value }, "");

        Assert.Equal(2, outcome.Code);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
        Assert.Contains("fix:", outcome.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("jobs show ..", "is not the id of a job")]
    [InlineData("jobs cancel 7", "is not the id of a job")]
    [InlineData("dead-letters show x", "is not the id of a dead letter")]
    [InlineData("keys revoke ../jobs", "is not the id of a key")]
    [InlineData("policy activate abc", "is not the hash of a bundle")]
    [InlineData("policy activate ../keysXX", "is not the hash of a bundle")]
    [InlineData("keys create", "--subject")]
    [InlineData("jobs", "Required command")]
    [InlineData("jobs lst", "lst")]
    [InlineData("status --url nowhere", "is not the address of a server")]
    public async Task Wrong_use_exits_with_2_and_an_explanation(string call, string message)
    {
        var outcome = await CommandLineCall.RunAsync(call.Split(' '), new() { ["DISPATCHER_API_KEY"] = "k" }, "");

        Assert.Equal(2, outcome.Code);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
    }
}
