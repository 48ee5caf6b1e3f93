using System.Text;

namespace Dispatcher.UnitTests.Intake;

/// <summary>Every kind of invalid submission. The approved file shows the errors that a producer gets.</summary>
public sealed class RefusalTableTests
{
    private static readonly string Nested = new('[', 64);

    private static readonly Dictionary<string, ASubmission> Cases = new()
    {
        ["an empty body"] = ASubmission.Of(""),
        ["blanks"] = ASubmission.Of(" \n"),
        ["broken JSON"] = ASubmission.Of("{\"topic\":\"job.repo.read\","),
        ["two values"] = ASubmission.Of("{} {}"),
        ["a comment"] = ASubmission.Of("{/* hello */}"),
        ["a trailing comma"] = ASubmission.Of("{\"topic\":\"job.repo.read\",}"),
        ["a byte order mark"] = new([0xEF, 0xBB, 0xBF, .. "{\"topic\":\"job.repo.read\"}"u8]),
        ["invalid UTF-8"] = new([.. "{\"topic\":\"job.repo.r"u8, 0xFF, .. "ad\"}"u8]),
        ["UTF-16"] = new(Encoding.Unicode.GetBytes("{\"topic\":\"job.repo.read\"}")),
        ["UTF-16 with a byte order mark"] = new([0xFF, 0xFE, .. Encoding.Unicode.GetBytes("{\"topic\":\"job.repo.read\"}")]),
        ["UTF-32"] = new(Encoding.UTF32.GetBytes("{\"topic\":\"job.repo.read\"}")),
        ["declared latin-1"] = new ASubmission(
            Encoding.Latin1.GetBytes("{\"topic\":\"job.repo.read\",\"labels\":{\"name\":\"Jürgen\"}}")
        ).From(source => source with { ContentType = "application/json; charset=iso-8859-1" }),
        ["declared gzip"] = new ASubmission([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xAB, 0x56]).From(source =>
            source with
            {
                ContentType = "application/json",
                ContentEncoding = "gzip",
            }
        ),
        ["undeclared gzip"] = new([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 0xAB, 0x56]),
        ["deflate"] = new([0x78, 0x01, 0x01, 0x02]),
        ["a form"] = ASubmission
            .Of("topic=job.repo.read&payload=x")
            .From(source => source with { ContentType = "application/x-www-form-urlencoded" }),
        ["UTF-16 declared by a header"] = new ASubmission(Encoding.BigEndianUnicode.GetBytes("{\"topic\":\"job.repo.read\"}")).From(
            source => source with { ContentEncoding = "utf-16" }
        ),
        ["a lone surrogate as bytes"] = new([.. "{\"topic\":\""u8, 0xED, 0xA0, 0x80, .. "\"}"u8]),
        ["an array"] = ASubmission.Of("[{\"topic\":\"job.repo.read\"}]"),
        ["a number"] = ASubmission.Of("1"),
        ["null"] = ASubmission.Of("null"),
        ["a string"] = ASubmission.Of("\"job.repo.read\""),
        ["nested too deeply"] = ASubmission.WithPayload(Nested + new string(']', 64)),
        ["a payload nested too deeply"] = ASubmission.WithPayload(Nested[..61] + new string(']', 61)),
        ["a body that is too large"] = ASubmission.Of(new string(' ', 400_000)),
        ["U+0000 in a value"] = ASubmission.With("\"labels\":{\"env\":\"a\\u0000b\"}"),
        ["U+0000 in a key of the payload"] = ASubmission.WithPayload("{\"a\":[{\"b\\u0000/~\":1}]}"),
        ["a raw U+0000"] = ASubmission.WithPayload("\"a\0b\""),
        ["a lone high surrogate in a value"] = ASubmission.WithPayload("[1,\"\\ud800\"]"),
        ["a lone low surrogate in a key"] = ASubmission.WithPayload("{\"a\":{\"\\udc00\":1}}"),
        ["a lone surrogate in a key beside others"] = ASubmission.WithPayload("{\"\\ud800\":1,\"\\ud800\":2,\"a\":3}"),
        ["a lone surrogate as a member"] = ASubmission.With("\"\\ud800\":1"),
        ["a duplicate member"] = ASubmission.With("\"topic\":\"job.repo.read\""),
        ["a duplicate key in depth"] = ASubmission.WithPayload("[{\"a\":{\"b\":1,\"b\":2}}]"),
        ["a duplicate key by an escape"] = ASubmission.With("\"labels\":{\"env\":\"a\",\"\\u0065nv\":\"b\"}"),
        ["no topic"] = ASubmission.Of("{}"),
        ["a topic that is null"] = ASubmission.Of("{\"topic\":null}"),
        ["a topic that is a number"] = ASubmission.Of("{\"topic\":1}"),
        ["a topic of one segment"] = ASubmission.Of("{\"topic\":\"job\"}"),
        ["a topic of nine segments"] = ASubmission.Of("{\"topic\":\"a.b.c.d.e.f.g.h.i\"}"),
        ["a topic in capitals"] = ASubmission.Of("{\"topic\":\"Job.Repo\"}"),
        ["a topic with a wildcard"] = ASubmission.Of("{\"topic\":\"job.*\"}"),
        ["a topic with a line break at its end"] = ASubmission.Of("{\"topic\":\"job.repo.read\\n\"}"),
        ["a topic that is too long"] = ASubmission.Of($"{{\"topic\":\"a.{new string('b', 127)}\"}}"),
        ["another routing key"] = ASubmission.With("\"v\":1").From(source => source with { RoutingKey = "job.repo.write" }),
        ["version 2"] = ASubmission.With("\"v\":2"),
        ["version 1 as text"] = ASubmission.With("\"v\":\"1\""),
        ["an unknown field near a known one"] = ASubmission.With("\"label\":{}"),
        ["an unknown field near none"] = ASubmission.With("\"zzzzzzzzzzzz\":{}"),
        ["a field in capitals"] = ASubmission.With("\"Payload\":{}"),
        ["labels that are an array"] = ASubmission.With("\"labels\":[\"env\"]"),
        ["a label that is a boolean"] = ASubmission.With("\"labels\":{\"dry_run\":true}"),
        ["a label that is null"] = ASubmission.With("\"labels\":{\"env\":null}"),
        ["65 labels"] = ASubmission.With($"\"labels\":{{{string.Join(',', Enumerable.Range(0, 65).Select(i => $"\"k{i}\":\"v\""))}}}"),
        ["a label key that is too long"] = ASubmission.With($"\"labels\":{{\"{new string('k', 65)}\":\"v\"}}"),
        ["an empty label key"] = ASubmission.With("\"labels\":{\"\":\"v\"}"),
        ["a label value that is too long"] = ASubmission.With($"\"labels\":{{\"k\":\"{new string('v', 257)}\"}}"),
        ["a label with the prefix of the system"] = ASubmission.With("\"labels\":{\"sys.trusted\":\"yes\"}"),
        ["a label with the prefix of approvals"] = ASubmission.With("\"labels\":{\"approval.by\":\"me\"}"),
        ["33 tags"] = ASubmission.With($"\"risk_tags\":[{string.Join(',', Enumerable.Range(0, 33).Select(i => $"\"t{i}\""))}]"),
        ["tags that are a string"] = ASubmission.With("\"risk_tags\":\"egress\""),
        ["a tag that is a number"] = ASubmission.With("\"risk_tags\":[\"a\",1]"),
        ["a tag that is too long"] = ASubmission.With($"\"risk_tags\":[\"{new string('t', 65)}\"]"),
        ["a payload that is too large"] = ASubmission.WithPayload($"\"{new string('p', 262_143)}\""),
        ["an idempotency key that is too long"] = ASubmission.With($"\"idempotency_key\":\"{new string('k', 129)}\""),
        ["a workflow id that is a number"] = ASubmission.With("\"workflow_id\":1"),
        ["a job id without hyphens"] = ASubmission.With("\"job_id\":\"0197f3a07c1e7b7a9f530d4c2e6a1b11\""),
        ["a job id of zeros"] = ASubmission.With("\"job_id\":\"00000000-0000-0000-0000-000000000000\""),
        ["a job id of version 8"] = ASubmission.With("\"job_id\":\"0197f3a0-7c1e-8b7a-9f53-0d4c2e6a1b11\""),
        ["a job id that is a number"] = ASubmission.With("\"job_id\":1"),
        ["a cost that is a number"] = ASubmission.With("\"estimated_cost\":12"),
        ["a negative cost"] = ASubmission.With("\"estimated_cost\":{\"tokens\":-1}"),
        ["a cost with a fraction"] = ASubmission.With("\"estimated_cost\":{\"usd_micros\":0.5}"),
        ["a cost beyond 64 bits"] = ASubmission.With("\"estimated_cost\":{\"tokens\":9223372036854775808}"),
        ["an unknown cost"] = ASubmission.With("\"estimated_cost\":{\"token\":1}"),
        ["a time without an offset"] = ASubmission.With("\"not_after\":\"2026-04-01T12:00:00\""),
        ["a time that does not exist"] = ASubmission.With("\"not_after\":\"2026-02-30T12:00:00Z\""),
        ["a time before 1970"] = ASubmission.With("\"not_after\":\"1969-12-31T23:59:59Z\""),
        ["a time with a line break at its end"] = ASubmission.With("\"not_after\":\"2026-04-01T12:00:00Z\\n\""),
        ["a time that is a number"] = ASubmission.With("\"not_after\":1775044800"),
        ["no user_id"] = ASubmission.With("\"v\":1").From(source => source with { Principal = null }),
        ["a principal in capitals"] = ASubmission.With("\"v\":1").From(source => source with { Principal = "Billing" }),
        ["a principal with a line break at its end"] = ASubmission.With("\"v\":1").From(source => source with { Principal = "billing\n" }),
        ["a principal that is too long"] = ASubmission.With("\"v\":1").From(source => source with { Principal = new string('b', 65) }),
        ["no identity"] = ASubmission.With("\"v\":1").From(source => source with { MessageId = null }),
        ["an empty message id"] = ASubmission.With("\"v\":1").From(source => source with { MessageId = "" }),
        ["a correlation id with U+0000"] = ASubmission.With("\"v\":1").From(source => source with { CorrelationId = "a\0b" }),
        ["a reply queue with U+0000"] = ASubmission.With("\"v\":1").From(source => source with { ReplyTo = "reply.billing.\0" }),
        ["a message id with U+0000"] = ASubmission.With("\"v\":1").From(source => source with { MessageId = "\0" }),
        ["everything at once"] = ASubmission
            .Of(
                "{\"topik\":1,\"labels\":{\"sys.a\":\"1\",\"b\":2},\"risk_tags\":{},"
                    + "\"estimated_cost\":{\"tokens\":-1},\"not_after\":\"soon\",\"job_id\":\"7\"}"
            )
            .From(source => source with { Principal = null }),
    };

    public static TheoryData<string> Names() => [.. Cases.Keys];

    [Fact]
    public void Errors_of_every_case_are_as_approved() =>
        Approved.Matches(
            "Intake/Refusals",
            Cases.SelectMany(invalid =>
                invalid
                    .Value.Read()
                    .Errors.Select(error => $"    {error.Code} at {error.Where}\n        {error.Message}\n        {error.Fix}")
                    .Prepend(invalid.Key)
            )
        );

    [Theory]
    [MemberData(nameof(Names))]
    public void Submission_is_refused_with_errors_that_have_a_code_a_place_a_message_and_a_fix(string name)
    {
        var (submission, errors) = Cases[name].Read();

        Assert.Null(submission);
        Assert.NotEmpty(errors);
        Assert.All(errors, error => Assert.All([error.Code, error.Where, error.Message, error.Fix], text => Assert.NotEmpty(text)));
    }

    [Fact]
    public void Reader_reports_all_errors_at_once() =>
        Assert.Equal(
            [
                "bad_amount /estimated_cost/tokens",
                "bad_job_id /job_id",
                "bad_risk_tags /risk_tags",
                "bad_time /not_after",
                "missing_topic /topic",
                "no_principal amqp:user_id",
                "not_a_string /labels/b",
                "reserved_label /labels/sys.a",
                "unknown_field /topik",
            ],
            Cases["everything at once"].Refused().Order(StringComparer.Ordinal)
        );

    [Fact]
    public void Reader_suggests_the_nearest_known_field_for_an_unknown_one() =>
        Assert.Contains(
            "Did you mean \"labels\"?",
            Cases["an unknown field near a known one"].Read().Errors.Single().Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Error_repeats_only_a_part_of_the_input() =>
        Assert.All(
            ASubmission.Of($"{{\"topic\":\"{new string('X', 100)}\",\"{new string('y', 5_000)}\":1}}").Read().Errors,
            error => Assert.True(error.Where.Length + error.Message.Length < 300)
        );
}
