using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Storage;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.UnitTests.Policies.Schemas;
using Dispatcher.Web;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.UnitTests.Intake;

public sealed class PayloadRefusalTests
{
    private const string Strict =
        """{"type":"object","required":["a"],"additionalProperties":false,"properties":{"a":{"type":"integer"}}}""";
    private const string Good = """{"job_id":"0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11","topic":"test.run","payload":{"a":1}}""";
    private const string Bad = """{"topic":"test.run","payload":{"b/c":1}}""";

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Payload_that_violates_the_schema_is_refused_with_every_error_and_not_stored()
    {
        await using var server = await ServerAsync(Strict);

        var (status, body) = await SubmitAsync(server, Bad);

        Assert.Equal(StatusCodes.Status400BadRequest, status);
        Assert.Equal(["payload_invalid /payload/a", "payload_invalid /payload/b~1c"], AServer.Errors(body));
        await using var db = await server.DatabaseAsync();
        Assert.Equal((0, 0), (await db.Jobs.CountAsync(Token), await db.Denials.CountAsync(Token)));
        Assert.False(await db.Timeline.AnyAsync(entry => entry.JobId != Guid.Empty, Token));
    }

    [Fact]
    public async Task Known_job_gets_its_first_answer_when_its_payload_no_longer_fits_the_schema()
    {
        await using var server = await ServerAsync(Strict);
        var (_, first) = await SubmitAsync(server, Good);
        await ActivateAsync(server, """{"type":"array"}""", known: true);

        var (status, again) = await SubmitAsync(server, Good);
        var (other, _) = await SubmitAsync(server, Good.Replace("\"a\":1", "\"a\":2", StringComparison.Ordinal));

        Assert.Equal(StatusCodes.Status202Accepted, status);
        Assert.Equal(first.GetRawText(), again.GetRawText());
        Assert.Equal(StatusCodes.Status409Conflict, other);
    }

    [Fact]
    public async Task Payload_is_validated_again_when_another_bundle_is_in_force()
    {
        await using var server = await ServerAsync("""{"type":"array"}""");
        await ActivateAsync(server, Strict, known: false);

        var (status, _) = await SubmitAsync(server, Good);

        Assert.Equal(StatusCodes.Status202Accepted, status);
    }

    private static async Task<AServer> ServerAsync(string schema)
    {
        var server = await AServer.MigratedAsync();
        await server.Get<StoreClock>().OnceAsync(Token);
        await ActivateAsync(server, schema, known: true);
        await server.Get<IntakeWriter>().StartAsync(Token);
        return server;
    }

    private static async Task ActivateAsync(AServer server, string schema, bool known)
    {
        var bundle = ASchema.Bundle(schema).Build();
        await server
            .Get<IStore>()
            .ActivateAsync(
                _ => new Activation
                {
                    Hash = bundle.Hash,
                    Archive = bundle.Archive,
                    Actor = "test",
                    Reason = "for a test",
                },
                Token
            );
        if (known)
        {
            await server.Get<CurrentBundle>().OnceAsync(Token);
        }
    }

    private static Task<(int Status, System.Text.Json.JsonElement Body)> SubmitAsync(AServer server, string body) =>
        server.AskAsync("POST", "/api/jobs/", ACaller.With(Role.Producer, "billing"), body: body);
}
