using System.Text;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Contracts;
using Dispatcher.Intake;
using Dispatcher.Jobs;
using MassTransit.Context;
using MassTransit.Serialization;

namespace Dispatcher.UnitTests.Intake;

public sealed class SubmissionReaderTests
{
    private const string Id = "0197f3a0-7c1e-7b7a-9f53-0d4c2e6a1b11";

    [Fact]
    public void Submission_with_only_a_topic_is_a_job_with_an_empty_payload()
    {
        var job = ASubmission.Of("""{"topic":"job.repo.read"}""").Job();

        Assert.Equal(("job.repo.read", "billing", "{}"), (job.Topic, job.Principal, Encoding.UTF8.GetString(job.Payload)));
        Assert.Empty(job.Labels);
        Assert.Empty(job.RiskTags);
        Assert.Equal(JobHash.Of(job), job.JobHash);
    }

    [Fact]
    public void Full_submission_is_read_completely()
    {
        var job = ASubmission.Of(SampleMessages.All().Single(sample => sample.Name == "SubmitJob (full)").Json).Job();

        Assert.Equal(
            (Guid.Parse(Id), "job.exec.shell", "invoice-17", "nightly"),
            (job.JobId, job.Topic, job.IdempotencyKey, job.WorkflowId)
        );
        Assert.Equal(("dev", "egress"), (job.Labels["env"], job.RiskTags.Single()));
        Assert.Equal((1_200, 3_000, AJob.Micros(AJob.Noon)), (job.CostTokens, job.CostUsdMicros, job.NotAfter));
    }

    [Fact]
    public void Null_member_equals_a_missing_member() =>
        Assert.Equal(
            ASubmission.Of("""{"topic":"job.repo.read"}""").Job().JobHash,
            ASubmission
                .With(
                    """
                    "v":null,"job_id":null,"labels":null,"risk_tags":null,"payload":null,"idempotency_key":null,
                    "workflow_id":null,"estimated_cost":null,"not_after":null
                    """
                )
                .Job()
                .JobHash
        );

    [Theory]
    [InlineData("{ \"a\" :\t1e2 ,\r\n\"b\":[ ] }")]
    [InlineData("\"\\u00e9\\/\"")]
    [InlineData("-0.0")]
    [InlineData("1e400")]
    [InlineData("false")]
    [InlineData("{\"a\":\"\\ud83d\\ude00\"}")]
    public void Payload_is_kept_byte_for_byte(string payload) =>
        Assert.Equal(payload, Encoding.UTF8.GetString(ASubmission.WithPayload($"\n {payload} ").Job().Payload));

    [Theory]
    [InlineData("2026-04-01T12:00:00Z")]
    [InlineData("2026-04-01t12:00:00z")]
    [InlineData("2026-04-01T14:00:00+02:00")]
    [InlineData("2026-04-01T12:00:00.000000000Z")]
    public void Time_is_read_in_every_form_of_RFC_3339(string text) =>
        Assert.Equal(AJob.Micros(AJob.Noon), ASubmission.With($"\"not_after\":\"{text}\"").Job().NotAfter);

    [Fact]
    public void Submission_at_the_limits_is_accepted()
    {
        var labels = string.Join(',', Enumerable.Range(0, 64).Select(i => $"\"{new string('k', 62)}{i:00}\":\"{new string('v', 256)}\""));
        var tags = string.Join(',', Enumerable.Range(0, 32).Select(i => $"\"{new string('t', 62)}{i:00}\""));
        var payload = $"\"{new string('p', 262_142)}\"";

        var job = ASubmission
            .With($"\"labels\":{{{labels}}},\"risk_tags\":[{tags}],\"payload\":{payload},\"idempotency_key\":\"{new string('i', 128)}\"")
            .Job();

        Assert.Equal((64, 32, 262_144), (job.Labels.Count, job.RiskTags.Count, job.Payload.Length));
    }

    [Fact]
    public void Limits_count_code_points_and_not_UTF_16_units()
    {
        string Dragons(int count) => string.Concat(Enumerable.Repeat("🐲", count));

        Assert.Equal(Dragons(256), ASubmission.With($"\"labels\":{{\"{Dragons(64)}\":\"{Dragons(256)}\"}}").Job().Labels[Dragons(64)]);
        Assert.Contains("too_long /labels/k", ASubmission.With($"\"labels\":{{\"k\":\"{Dragons(257)}\"}}").Refused());
        Assert.Contains(
            ASubmission.With($"\"labels\":{{\"{Dragons(65)}\":\"v\"}}").Refused(),
            error => error.StartsWith("bad_label_key ", StringComparison.Ordinal)
        );
    }

    [Fact]
    public void Job_id_is_the_one_that_the_producer_gives() =>
        Assert.Equal(Guid.Parse(Id), ASubmission.With($"\"job_id\":\"{Id}\",\"idempotency_key\":\"k\"").Job().JobId);

    [Fact]
    public void Job_id_is_derived_from_the_idempotency_key_when_the_producer_gives_none() =>
        Assert.Equal(UuidV5.Of("key", "billing", "k"), ASubmission.With("\"idempotency_key\":\"k\"").Job().JobId);

    [Fact]
    public void Job_id_is_derived_from_the_message_id_without_id_and_idempotency_key() =>
        Assert.Equal(UuidV5.Of("message", "billing", "m-1"), ASubmission.With("\"v\":1").Job().JobId);

    [Fact]
    public void Submission_over_HTTP_without_an_identity_gets_a_new_job_id() =>
        Assert.Equal(
            Guid.Parse(Id),
            ASubmission.With("\"v\":1").From(source => source with { MessageId = null, NewJobId = Guid.Parse(Id) }).Job().JobId
        );

    [Fact]
    public void Same_idempotency_key_of_another_principal_is_another_job() =>
        Assert.NotEqual(
            ASubmission.With("\"idempotency_key\":\"k\"").Job().JobId,
            ASubmission.With("\"idempotency_key\":\"k\"").From(source => source with { Principal = "shipping" }).Job().JobId
        );

    [Fact]
    public void Equal_content_with_two_message_ids_is_two_jobs() =>
        Assert.NotEqual(
            ASubmission.With("\"v\":1").Job().JobId,
            ASubmission.With("\"v\":1").From(source => source with { MessageId = "m-2" }).Job().JobId
        );

    [Theory]
    [InlineData(DirectReplyToTests.BrokerAddress, DirectReplyToTests.BrokerAddress)]
    [InlineData("reply.billing.1", "reply.billing.1")]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void Reply_address_of_the_principal_is_kept(string? replyTo, string? kept) =>
        Assert.Equal(kept, ASubmission.With("\"v\":1").From(source => source with { ReplyTo = replyTo }).Job().ReplyTo);

    [Theory]
    [InlineData("amq.rabbitmq.reply-to")]
    [InlineData("amq.rabbitmq.reply-to.g1h2AA")]
    [InlineData("reply.billing")]
    [InlineData("reply.shipping.1")]
    [InlineData("reply.billing2.1")]
    [InlineData("dispatcher.outcomes")]
    [InlineData(" ")]
    public void Reply_address_that_does_not_belong_to_the_principal_is_refused(string replyTo)
    {
        var (submission, errors) = ASubmission.With("\"v\":1").From(source => source with { ReplyTo = replyTo }).Read();

        Assert.Null(submission);
        var error = Assert.Single(errors);
        Assert.Equal(("bad_reply_to", "amqp:reply_to"), (error.Code, error.Where));
        Assert.Contains("\"reply.billing.\"", error.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public void Source_without_a_principal_has_no_reply_address() =>
        Assert.Null(
            new SubmissionSource
            {
                Channel = "amqp",
                Principal = null,
                ReplyTo = DirectReplyToTests.BrokerAddress,
            }.AllowedReplyTo
        );

    [Fact]
    public void Correlation_id_and_trace_context_are_kept()
    {
        const string trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

        var job = ASubmission.With("\"v\":1").From(source => source with { CorrelationId = "c-1", TraceParent = trace }).Job();

        Assert.Equal(("c-1", trace), (job.CorrelationId, job.TraceParent));
    }

    [Theory]
    [InlineData("00-\0")]
    [InlineData("")]
    [InlineData("00-00000000000000000000000000000000-b7ad6b7169203331-0g")]
    public void Invalid_trace_context_is_dropped(string trace) =>
        Assert.Null(ASubmission.With("\"v\":1").From(source => source with { TraceParent = trace }).Job().TraceParent);

    /// <summary>MassTransit writes the body, as a producer with the default serializer sends it.</summary>
    [Fact]
    public void MassTransit_envelope_is_read_as_the_job_that_it_contains()
    {
        var submit = new SubmitJob
        {
            Topic = "job.repo.read",
            Labels = new Dictionary<string, string> { ["env"] = "dev" },
            RiskTags = ["egress"],
            Payload = JsonSerializer.Deserialize<JsonElement>("""{"n":1e2}"""),
            EstimatedCost = new EstimatedCost { Tokens = 1 },
            NotAfter = AJob.Noon,
        };
        var context = new MessageSendContext<SubmitJob>(submit);
        var body = SystemTextJsonMessageSerializer.Instance.GetMessageBody(context).GetBytes();

        var job = new ASubmission(body)
            .From(source => source with { ContentType = SystemTextJsonMessageSerializer.JsonContentType.ToString() })
            .Job();

        Assert.Equal(
            ("job.repo.read", "dev", "egress", 1L, (long?)AJob.Micros(AJob.Noon)),
            (job.Topic, job.Labels["env"], job.RiskTags.Single(), job.CostTokens, job.NotAfter)
        );
        Assert.Equal("""{"n":1e2}""", string.Concat(Encoding.UTF8.GetString(job.Payload).Where(c => !char.IsWhiteSpace(c))));
    }

    [Fact]
    public void Envelope_without_a_message_is_refused_as_a_plain_object() =>
        Assert.Contains(
            "unknown_field /messageId",
            ASubmission
                .Of("""{"messageId":"x","messageType":[]}""")
                .From(source => source with { ContentType = "application/vnd.masstransit+json" })
                .Refused()
        );

    [Fact]
    public void Object_with_a_message_member_is_not_an_envelope() =>
        Assert.Contains("unknown_field /message", ASubmission.Of("""{"message":{"topic":"job.repo.read"}}""").Refused());

    [Fact]
    public void Reader_applies_configured_limits() =>
        Assert.Equal(
            ["payload_too_large /payload"],
            (ASubmission.WithPayload("12345") with { Limits = new IntakeOptions { MaxPayloadBytes = 4 } }).Refused()
        );
}
