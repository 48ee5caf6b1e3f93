using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;

namespace Dispatcher.UnitTests.CommandLine;

public sealed class SubmitTests : IAsyncDisposable
{
    private const string Id = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10";
    private const string Accepted = $$"""
        {"v":1,"job_id":"{{Id}}","state":"accepted","verdict":"ALLOW","rules":["r1"],"reason":"ok","policy_hash":"ab",
        "job_hash":"cd"}
        """;

    private readonly string _folder = Directory.CreateTempSubdirectory("dispatcher-unit-").FullName;

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Submit_sends_the_values_of_its_options()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/jobs", 202, Accepted);

        var outcome = await server.RunAsync(
            "submit",
            "--topic",
            "job.exec.shell",
            "--label",
            "env=dev",
            "--label",
            "note=a=b",
            "--risk-tag",
            "egress",
            "--payload",
            "[1]",
            "--job-id",
            Id,
            "--idempotency-key",
            "k",
            "--workflow-id",
            "w",
            "--not-after",
            "2026-01-31T18:00:00+02:00"
        );

        Assert.Equal(0, outcome.Code);
        var request = Assert.Single(server.Requests);
        Assert.Equal("Bearer a-key", request.Authorization);
        Assert.Equal("application/json", request.ContentType);
        Assert.Equal(
            $$"""
            {"topic":"job.exec.shell","labels":{"env":"dev","note":"a=b"},"risk_tags":["egress"],"payload":[1],"job_id":"{{Id}}",
            "idempotency_key":"k","workflow_id":"w","not_after":"2026-01-31T18:00:00+02:00"}
            """.ReplaceLineEndings(""),
            Encoding.UTF8.GetString(request.Body)
        );
    }

    [Theory]
    [InlineData("""{ "a" :  1e2, "b":"\u00e9 é \/", "a":1.0 }""")]
    [InlineData("\n[ ]\t")]
    [InlineData("null")]
    public async Task Submit_sends_the_payload_byte_for_byte(string payload)
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/jobs", 202, Accepted);
        var file = Path.Combine(_folder, "payload.json");
        await File.WriteAllTextAsync(file, payload, TestContext.Current.CancellationToken);
        string[] common = ["submit", "--topic", "t.x", "--url", server.Url, "--api-key", "k", "--payload"];

        await CommandLineCall.RunAsync([.. common, payload]);
        await CommandLineCall.RunAsync([.. common, "@" + file]);
        await CommandLineCall.RunAsync([.. common, "-"], [], payload);

        Assert.Equal(3, server.Requests.Count);
        Assert.All(
            server.Requests,
            request => Assert.Contains($"\"payload\":{payload}}}", Encoding.UTF8.GetString(request.Body), StringComparison.Ordinal)
        );
    }

    [Fact]
    public async Task Submit_sends_a_whole_job_unchanged()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/jobs", 202, Accepted);
        const string job = "{ \"topic\" : \"t.x\",\r\n \"payload\": 1.00 }\n";

        await CommandLineCall.RunAsync(["submit", "--file", "-", "--url", server.Url, "--api-key", "k"], [], job);

        Assert.Equal(job, Encoding.UTF8.GetString(Assert.Single(server.Requests).Body));
    }

    [Fact]
    public async Task Denial_is_shown_as_a_decision_and_exits_with_1()
    {
        var denied = Accepted
            .Replace("\"accepted\"", "\"denied\"", StringComparison.Ordinal)
            .Replace("\"ALLOW\"", "\"DENY\"", StringComparison.Ordinal);
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/jobs", 403, denied);

        var shown = await server.RunAsync("submit", "--topic", "t.x");
        var json = await server.RunAsync("submit", "--topic", "t.x", "--json", "--wait");

        Assert.Equal(1, shown.Code);
        Assert.Contains("dispatcher jobs explain ", shown.Error, StringComparison.Ordinal);
        Assert.Contains("DENY", shown.Output, StringComparison.Ordinal);
        Assert.Equal((1, denied + Environment.NewLine, ""), (json.Code, json.Output, json.Error));
    }

    [Fact]
    public async Task Refusal_shows_every_error_with_place_and_fix()
    {
        const string problem = """
            {"title":"malformed","status":400,"errors":[
             {"code":"unknown_field","where":"/labls","message":"unknown field 'labls'","fix":"write labels"},
             {"code":"too_long","where":"/topic","message":"129 characters, at most 128","fix":"shorten it"}]}
            """;
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/jobs", 400, problem);

        var outcome = await server.RunAsync("submit", "--topic", "t.x");

        Assert.Equal((1, ""), (outcome.Code, outcome.Output));
        foreach (
            var part in new[]
            {
                "malformed",
                "HTTP 400",
                "/labls",
                "unknown field 'labls'",
                "fix: write labels",
                "/topic",
                "at most 128",
                "fix: shorten it",
            }
        )
        {
            Assert.Contains(part, outcome.Error, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("succeeded", 0)]
    [InlineData("dead_lettered", 1)]
    [InlineData("cancelled", 1)]
    [InlineData("denied", 1)]
    public async Task Wait_ends_with_the_final_state(string final, int code)
    {
        var job = $$"""{"job_id":"{{Id}}","state":"{{final}}","attempt":1,"result":{"out": "2.50" } }""";
        await using var server = (await CannedServer.StartAsync())
            .Answers("POST /api/jobs", 202, Accepted)
            .Answers($"GET /api/jobs/{Id}", 200, $$"""{"job_id":"{{Id}}","state":"held"}""")
            .Answers($"GET /api/jobs/{Id}", 200, $$"""{"job_id":"{{Id}}","state":"running"}""")
            .Answers($"GET /api/jobs/{Id}", 200, job);

        var shown = await server.RunAsync("submit", "--topic", "t.x", "--wait");
        var json = await server.RunAsync("submit", "--topic", "t.x", "--wait", "--json");

        Assert.Equal((code, code), (shown.Code, json.Code));
        Assert.Contains("waits for approval", shown.Error, StringComparison.Ordinal);
        Assert.Contains("""{"out": "2.50" }""", shown.Output, StringComparison.Ordinal);
        Assert.Equal(job + Environment.NewLine, json.Output);
    }

    [Theory]
    [InlineData("--label env=dev", "The topic is missing: give --topic")]
    [InlineData("--topic t.x --label env", "KEY=VALUE")]
    [InlineData("--topic t.x --label env=a --label env=b", "more than once")]
    [InlineData("--topic t.x --not-after 2026-01-31T18:00:00", "offset")]
    [InlineData("--topic t.x --file job.json", "remove --topic")]
    [InlineData("--topic t.x --job-id zzz", "--job-id 'zzz' is not a UUID: write one such as")]
    public async Task Submit_names_wrong_options_and_sends_nothing(string options, string message)
    {
        await using var server = await CannedServer.StartAsync();

        var outcome = await server.RunAsync(["submit", .. options.Split(' ')]);

        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("--topic t.x --payload {broken", "--payload is not JSON: 'b' is an invalid start of a property name")]
    [InlineData("--topic t.x --payload [[", "--payload is not JSON: an object or list is not closed (line 1, byte 3)")]
    [InlineData("--topic t.x --payload @/no/such/file", "/no/such/file")]
    [InlineData("--file /no/such/file", "/no/such/file")]
    public async Task Unreadable_input_exits_with_2(string options, string message)
    {
        await using var server = await CannedServer.StartAsync();

        var outcome = await server.RunAsync(["submit", .. options.Split(' ')]);

        Assert.Equal(2, outcome.Code);
        Assert.Contains(message, outcome.Error, StringComparison.Ordinal);
        Assert.Contains("fix:", outcome.Error, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Submit_sends_a_valid_submission()
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/jobs", 202, Accepted);

        await server.RunAsync("submit", "--topic", "t.x", "--label", "quote=\"\\é", "--job-id", Id);

        var job = JsonSerializer.Deserialize(server.Requests[0].Body, WireJson.Default.SubmitJob)!;
        Assert.Equal(("t.x", "\"\\é", Guid.Parse(Id), "{}"), (job.Topic, job.Labels["quote"], job.JobId, job.Payload!.Value.GetRawText()));
    }
}
