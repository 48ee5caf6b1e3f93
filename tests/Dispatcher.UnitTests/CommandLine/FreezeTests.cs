using System.Text.Json;

namespace Dispatcher.UnitTests.CommandLine;

public sealed class FreezeTests
{
    private const string Frozen = """
        {"freeze_id":"0198c5a2-7c1e-7b54-9d1a-3f2b8c6d4e10","target":"topic","name":"job.exec.shell","reason":"disk full","actor":"ada",
        "since":"2026-01-01T00:00:00Z","until":"2026-01-01T02:00:00Z","ended_at":null,"ended_by":null,"end_reason":null}
        """;

    [Theory]
    [InlineData(
        "--topic job.exec.shell --for 2h",
        """{"topic":"job.exec.shell","pool":null,"all":false,"reason":"r","for_s":7200,"until":null}"""
    )]
    [InlineData("--pool shell --for 90s", """{"topic":null,"pool":"shell","all":false,"reason":"r","for_s":90,"until":null}""")]
    [InlineData("--all --for 7d", """{"topic":null,"pool":null,"all":true,"reason":"r","for_s":604800,"until":null}""")]
    [InlineData(
        "--all --until 2026-11-01T08:00:00+01:00",
        """{"topic":null,"pool":null,"all":true,"reason":"r","for_s":null,"until":"2026-11-01T08:00:00+01:00"}"""
    )]
    public async Task Freeze_sends_target_reason_and_end(string options, string body)
    {
        await using var server = (await CannedServer.StartAsync()).Answers("POST /api/freezes", 201, Frozen);

        var outcome = await server.RunAsync(["freeze", .. options.Split(' '), "--reason", "r"]);

        Assert.Equal((0, ""), (outcome.Code, outcome.Error));
        Assert.Contains("topic job.exec.shell is frozen until", outcome.Output, StringComparison.Ordinal);
        Assert.True(
            JsonElement.DeepEquals(JsonDocument.Parse(body).RootElement, JsonDocument.Parse(server.Requests[0].Body).RootElement),
            System.Text.Encoding.UTF8.GetString(server.Requests[0].Body)
        );
    }

    [Theory]
    [InlineData("freeze --for 2h --reason r", "0 targets are given")]
    [InlineData("freeze --topic a.b --all --for 2h --reason r", "2 targets are given")]
    [InlineData("freeze --all --reason r", "Give one end")]
    [InlineData("freeze --all --for 2h --until 2026-11-01T08:00:00Z --reason r", "Give one end")]
    [InlineData("freeze --all --for 2h", "--reason")]
    [InlineData("freeze --all --for 8d --reason r", "--for '8d' is not allowed")]
    [InlineData("freeze --all --for 169h --reason r", "--for '169h' is not allowed")]
    [InlineData("freeze --all --for 0s --reason r", "--for '0s' is not allowed")]
    [InlineData("freeze --all --for 2 --reason r", "--for '2' is not allowed")]
    [InlineData("freeze --all --until tomorrow --reason r", "--until 'tomorrow' is not a time")]
    [InlineData("freeze --all --until 2026-11-01T08:00:00 --reason r", "is not a time with its offset")]
    [InlineData("unfreeze --reason r", "0 targets are given")]
    [InlineData("unfreeze --all", "--reason")]
    public async Task Incomplete_or_contradictory_options_are_wrong_use_and_send_nothing(string call, string error)
    {
        await using var server = await CannedServer.StartAsync();

        var outcome = await server.RunAsync(call.Split(' '));

        Assert.Equal((2, ""), (outcome.Code, outcome.Output));
        Assert.Contains(error, outcome.Error, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Freeze_of_a_frozen_target_exits_with_1_and_shows_the_first()
    {
        await using var server = (await CannedServer.StartAsync()).Answers(
            "POST /api/freezes",
            409,
            """{"title":"The current state does not allow the request","detail":"frozen already, by ada"}"""
        );

        var outcome = await server.RunAsync("freeze", "--all", "--for", "1h", "--reason", "r");

        Assert.Equal(1, outcome.Code);
        Assert.Contains("frozen already, by ada", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_shows_how_a_past_freeze_ended()
    {
        var ended = Frozen.Replace("\"ended_by\":null", "\"ended_by\":\"ben\"", StringComparison.Ordinal);
        await using var server = (await CannedServer.StartAsync()).Answers(
            "GET /api/freezes",
            200,
            $$"""{"in_force":[{{Frozen}}],"past":[{{ended}},{{Frozen}}]}"""
        );

        var outcome = await server.RunAsync("freeze", "list");

        Assert.Equal(0, outcome.Code);
        Assert.All(
            (string[])["in force", "ended by ben", "expired"],
            state => Assert.Contains(state, outcome.Output, StringComparison.Ordinal)
        );
    }
}
