using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Jobs;
using Dispatcher.Outbox;
using Dispatcher.Recovery;
using Dispatcher.UnitTests.Hosting;
using Dispatcher.Worker.Claiming;

namespace Dispatcher.UnitTests.Recovery;

/// <summary>
/// Every later step reads what an earlier step accepts: the deepest payload returns as the deepest result, and a deeper one is refused at
/// the first step.
/// </summary>
public sealed class DepthTests
{
    [Theory]
    [InlineData("[", "]")]
    [InlineData("{\"a\":", "}")]
    public async Task Deepest_payload_passes_every_step_and_returns_as_the_result(string open, string close)
    {
        var payload = Nested(JsonLimits.DeepestValue, open, close);

        // Intake, bare and in the envelope of MassTransit.
        var bare = ASubmission.WithPayload(payload);
        var wrapped = ASubmission
            .Of($"{{\"message\":{Encoding.UTF8.GetString(bare.Body)}}}")
            .From(source => source with { ContentType = "application/vnd.masstransit+json" });
        var job = wrapped.Job();
        Assert.Equal(payload, Encoding.UTF8.GetString(bare.Job().Payload));

        // Dispatch to worker.
        var running = AJob.ToTest().Running().Stored with
        {
            Payload = job.Payload,
        };
        var check = Delivered(WorkBody.Of(running, idempotent: true), running);
        Assert.Equal(PermitFault.None, check.Fault);

        // Worker to recovery.
        var outcome = AnOutcome.Of(AJob.ToTest().Running(), OutcomeKind.Succeeded) with
        {
            Result = check.Message!.Payload,
        };
        var recorded = Assert.Single(Sent(outcome).Outcomes);
        var after = RecoveryMoves.Of(running, recorded, AJob.Context("idempotent: true")).After;
        Assert.Equal((JobState.Succeeded, payload), (after.State, Encoding.UTF8.GetString(after.Result!)));

        // The reply to the producer.
        await using var server = await AServer.MigratedAsync();
        var final = JsonSerializer.Deserialize(
            server.Get<JobEvents>().Final(after, "reply.billing.1", null).Body,
            WireJson.Default.JobEvent
        )!;
        Assert.Equal(payload, final.Result!.Value.GetRawText());

        // The API, to a reader with the common limit.
        await server.StoreAsync(after);
        var (status, body) = await server.AskAsync("GET", "/api/jobs/{jobId:guid}", ACaller.With("admin"), id: after.JobId);
        Assert.Equal(200, status);
        Assert.Equal((payload, payload), (body.GetProperty("payload").GetRawText(), body.GetProperty("result").GetRawText()));
    }

    [Fact]
    public void Deeper_payload_is_refused_at_intake_and_a_deeper_result_is_a_terminal_fault()
    {
        var deeper = Nested(JsonLimits.DeepestValue + 1, "[", "]");

        Assert.Equal("payload_too_deep /payload", Assert.Single(ASubmission.WithPayload(deeper).Refused()));
        Assert.NotEmpty(ASubmission.WithPayload(Nested(JsonLimits.DeepestBody, "[", "]")).Refused());
        using var result = JsonDocument.Parse(deeper);
        var outcome = AnOutcome.Of(AJob.ToTest().Running(), OutcomeKind.Succeeded) with { Result = result.RootElement };
        Assert.Equal("bad_result", Assert.Single(Sent(outcome).Outcomes).Fault!.Code);
    }

    private static OutcomeReading Sent(AttemptOutcome outcome)
    {
        var errors = new List<InputError>();
        var batch = JsonSerializer.SerializeToUtf8Bytes(new OutcomeBatch { Outcomes = [outcome] }, WireJson.Default.OutcomeBatch);
        var reading = OutcomeConsumer.Read(batch, new DeliveryFacts { UserId = "worker" }, DateTimeOffset.UnixEpoch, errors);
        Assert.Empty(errors);
        return reading;
    }

    private static PermitCheck Delivered(byte[] body, Job job)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        var claims = new PermitClaims
        {
            Jti = Guid.CreateVersion7(),
            Sub = job.JobId,
            Att = job.Attempt,
            Aud = "main",
            Exp = long.MaxValue,
            Bh = hash,
        };
        var part = Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(claims, WireJson.Default.PermitClaims));
        return PermitCheck.Of(body, $"h.{part}.s", "main");
    }

    private static string Nested(int levels, string open, string close) =>
        string.Concat(Enumerable.Repeat(open, levels - 1))
        + (open == "[" ? "[]" : "{}")
        + string.Concat(Enumerable.Repeat(close, levels - 1));
}
