namespace Dispatcher.UnitTests.CommandLine;

public sealed class IncidentTests
{
    private const string Id = "0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10";

    private const string Incident = """
        {"kind":"freeze","id":"0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10","topic":"job.exec.shell","pool_names":["shell"],
        "began":"2026-01-01T10:00:00.123Z","counted_since":"2026-01-01T10:00:00.123Z","at":"2026-01-01T10:20:00+00:00","is_complete":true,
        "jobs":{"accepted":12,"retrying":3,"held":1,"running":2,"succeeded":40,"dead_lettered":5,"expired":1},
        "dead_letters":{"in_doubt":2,"terminal":3},"owners":["platform","testers"],
        "freezes":[{"freeze_id":"0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10","target":"topic","name":"job.exec.shell",
        "reason":"disk full\n=== All clear \u001b[31m REASON","actor":"ada","since":"2026-01-01T10:00:00Z","until":"2026-01-01T12:00:00Z"}],
        "policy_hash":"0123456789abcdef0123456789abcdef","policy_changed":true,"oldest_ready":"2026-01-01T10:00:05Z",
        "pools":{"shell":{"workers":2,"capacity":8,"waiting":15,"dispatched":0,"running":2,"limit":null,"note":null} } }
        """;

    private const string Empty = """
        {"kind":"job","topic":null,"pool_names":[],"began":"2025-12-25T10:00:00Z","counted_since":"2025-12-31T10:20:00Z",
        "at":"2026-01-01T10:20:00Z","is_complete":false,"jobs":{},"dead_letters":{"terminal":10000},"owners":[],"freezes":[],
        "policy_hash":null,"policy_changed":false,"oldest_ready":null,"pools":{} }
        """;

    [Fact]
    public async Task Brief_prints_three_messages_with_the_figures()
    {
        var reason = new string('x', 130);
        await using var server = (await CannedServer.StartAsync())
            .Answers($"GET /api/incidents/{Id}", 200, Incident.Replace("REASON", reason, StringComparison.Ordinal))
            .Answers($"GET /api/incidents/{Id}", 200, Empty);

        var full = await server.RunAsync("incident", "brief", Id);
        var empty = await server.RunAsync("incident", "brief", Id);

        Assert.Equal((0, 0, "", ""), (full.Code, empty.Code, full.Error, empty.Error));
        Approved.Matches("CommandLine/IncidentBrief", [full.Output, "-----", empty.Output]);
    }

    [Fact]
    public async Task Json_is_that_of_the_server()
    {
        await using var server = (await CannedServer.StartAsync()).Answers($"GET /api/incidents/{Id}", 200, Empty);

        Assert.Equal(Empty, (await server.RunAsync("incident", "brief", Id, "--json")).Output.Trim());
    }

    [Fact]
    public async Task Id_without_a_job_dead_letter_or_freeze_exits_with_1()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            $"GET /api/incidents/{Id}",
            404,
            $$"""{"title":"Not found","detail":"{{Id}} is the id of no job, no dead letter and no freeze."}"""
        );

        var outcome = await server.RunAsync("incident", "brief", Id);

        Assert.Equal(1, outcome.Code);
        Assert.Contains("no job, no dead letter and no freeze", outcome.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await server.RunAsync("incident", "brief", "12")).Code);
    }
}
