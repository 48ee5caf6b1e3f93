using System.Text;
using System.Text.Json;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Jobs;
using Dispatcher.Recovery;

namespace Dispatcher.UnitTests.Recovery;

public sealed class OutcomeBodyTests
{
    private static readonly AJob Running = AJob.ToTest().Running();

    /// <summary>
    /// Results that no store or reader accepts. Each is the value of <c>result</c>, in Latin-1 so that bytes that are not UTF-8 can be
    /// written down.
    /// </summary>
    public static TheoryData<string> BadResults =>
        [
            Nested(JsonLimits.DeepestValue + 1),
            Nested(JsonLimits.DeepestBody),
            Nested(10_000),
            "{\"a\":1,\"a\":2}",
            "{\"text\":\"\\ud83d\"}",
            "{\"\\ud83d\":1,\"b\":2}",
            "\"\u00ff\"",
            "NaN",
            "-Infinity",
            "{\"a\":1,}",
            "[1,2}",
            "/* none */ 1",
            "\"a line\nbreak\"",
            "",
            "\"\u00ed\u00a0\u0080\"",
        ];

    [Fact]
    public void Batch_is_read_whole()
    {
        var (reading, errors) = Read(Json(AnOutcome.Succeeded(Running, "1"), AnOutcome.Faulted(Running)));

        Assert.Equal([OutcomeKind.Succeeded, OutcomeKind.Faulted], reading.Outcomes.Select(outcome => outcome.Kind));
        Assert.Empty(reading.Refused);
        Assert.Empty(errors);
    }

    /// <summary>Any handler may return text with U+0000, and the batch holds outcomes of other jobs.</summary>
    [Fact]
    public void U0000_in_a_result_or_a_fault_does_not_affect_other_outcomes()
    {
        var (reading, errors) = Read(
            Json(
                AnOutcome.Succeeded(Running, "\"a\\u0000b\""),
                AnOutcome.Faulted(Running, message: "a\0b"),
                AnOutcome.Succeeded(Running, "1")
            )
        );

        Assert.Empty(errors);
        Assert.Equal(3, reading.Outcomes.Count);
        Assert.Equal(
            "\"a\\u0000b\"",
            Encoding.UTF8.GetString(RecoveryMoves.Of(Running.Stored, reading.Outcomes[0], AJob.Context("idempotent: true")).After.Result!)
        );
    }

    [Theory]
    [MemberData(nameof(BadResults))]
    public void Result_that_cannot_be_stored_is_a_terminal_fault_of_its_job_alone(string result)
    {
        var body = Encoding.Latin1.GetBytes(
            Json(AnOutcome.Succeeded(Running, "1"), AnOutcome.Succeeded(Running, "\"here\""), AnOutcome.Faulted(Running))
                .Replace("\"here\"", result, StringComparison.Ordinal)
        );

        var (reading, errors) = Read(body);

        Assert.Empty(errors);
        Assert.Empty(reading.Refused);
        Assert.Equal([null, "bad_result", null], reading.Outcomes.Select(outcome => outcome.Fault?.Code));
        Assert.Equal([OutcomeKind.Succeeded, OutcomeKind.Faulted, OutcomeKind.Faulted], reading.Outcomes.Select(outcome => outcome.Kind));
        var bad = reading.Outcomes[1];
        Assert.Equal((Running.Stored.JobId, Running.Stored.Attempt, Running.Stored.RunId), (bad.JobId, bad.Attempt, bad.RunId));
        var after = RecoveryMoves.Of(Running.Stored, bad, AJob.Context("idempotent: true")).After;
        Assert.Equal((JobState.DeadLettered, FaultClasses.Terminal), (after.State, after.FaultClass));
    }

    /// <summary>JSON does not limit numbers, and the bytes are kept.</summary>
    [Fact]
    public void Number_beyond_every_type_is_kept_unchanged()
    {
        var (reading, _) = Read(Json(AnOutcome.Succeeded(Running, "[1e999]")));

        Assert.Equal(
            "[1e999]",
            Encoding.UTF8.GetString(RecoveryMoves.Of(Running.Stored, reading.Outcomes[0], AJob.Context("idempotent: true")).After.Result!)
        );
    }

    [Theory]
    [InlineData("NaN")]
    [InlineData("{,}")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("7")]
    [InlineData("[[]]")]
    [InlineData("\"\\ud800\"")]
    [InlineData("{\"job_id\":\"0197f3a0-0000-7000-8000-000000000001\",\"attempt\":1}")]
    [InlineData("{\"job_id\":1,\"attempt\":1,\"run_id\":\"0197f3a0-0000-7000-8000-000000000001\"}")]
    [InlineData(
        "{\"job_id\":\"0197f3a0-0000-7000-8000-000000000001\",\"attempt\":1,\"attempt\":2,"
            + "\"run_id\":\"0197f3a0-0000-7000-8000-000000000001\"}"
    )]
    public void Outcome_that_names_no_run_is_refused_separately(string element)
    {
        var (reading, errors) = Read(
            Json(AnOutcome.Succeeded(Running, "1"), AnOutcome.Faulted(Running)).Replace("},{", $"}},{element},{{", StringComparison.Ordinal)
        );

        Assert.Empty(errors);
        Assert.Equal(2, reading.Outcomes.Count);
        var refused = Assert.Single(reading.Refused);
        Assert.Equal(element, Encoding.UTF8.GetString(refused.Body.Span));
        Assert.NotEmpty(refused.Errors);
    }

    [Fact]
    public void Outcomes_before_the_end_of_a_truncated_body_are_recorded()
    {
        var whole = Json(AnOutcome.Succeeded(Running, "1"), AnOutcome.Faulted(Running), AnOutcome.Succeeded(Running, "2"));

        var (reading, errors) = Read(whole[..^20]);

        Assert.Equal((string?[])[null, null, "bad_result"], reading.Outcomes.Select(outcome => outcome.Fault?.Code));
        Assert.Equal("invalid_json", Assert.Single(errors).Code);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"v":1,"outcomes":null}""")]
    [InlineData("""{"v":"1","outcomes":[]}""")]
    [InlineData("""{"v":1,"outcomes":[],"surprise":1}""")]
    [InlineData("""{"v":1,"outcomes":[],"outcomes":[]}""")]
    [InlineData("""{"v":1,"outcomes":[],"\ud800":1}""")]
    [InlineData("""{"v":1,"outcomes":[]} {}""")]
    public void Body_that_is_not_a_batch_is_refused_with_an_error(string body)
    {
        var (reading, errors) = Read(body);

        Assert.Empty(reading.Outcomes);
        Assert.Empty(reading.Refused);
        Assert.NotEmpty(errors);
    }

    [Theory]
    [InlineData("type")]
    [InlineData("message")]
    public void Fault_with_a_null_member_is_a_terminal_fault_of_its_job(string member)
    {
        var json = Json(AnOutcome.Faulted(Running))
            .Replace(member == "type" ? "\"System.IO.IOException\"" : "\"It broke.\"", "null", StringComparison.Ordinal);

        Assert.Equal("bad_result", Assert.Single(Read(json).Reading.Outcomes).Fault!.Code);
    }

    [Fact]
    public void Outcome_without_an_authenticated_sender_is_refused()
    {
        var (reading, errors) = Read(Json(AnOutcome.Succeeded(Running)), userId: null);

        Assert.Empty(reading.Outcomes);
        Assert.Equal(["no_principal"], errors.Select(error => error.Code));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Corrupt_outcome_does_not_affect_the_other_one(int seed)
    {
        var random = new Random(seed);
        var (first, second) = (Json(AnOutcome.Succeeded(Running, "{\"a\":[1,\"\\ud83d\\ude00\"]}")), Json(AnOutcome.Faulted(Running)));
        var start = Encoding.UTF8.GetBytes(first[..^2] + ",");
        for (var i = 0; i < 5_000; i++)
        {
            var element = Encoding.UTF8.GetBytes(second["{\"v\":1,\"outcomes\":[".Length..^2]);
            element[random.Next(element.Length)] = (byte)random.Next(256);

            var (reading, _) = Read([.. start, .. element, .. "]}"u8]);

            Assert.Equal(OutcomeKind.Succeeded, reading.Outcomes[0].Kind);
        }
    }

    private static string Nested(int levels) => new string('[', levels) + new string(']', levels);

    private static string Json(params AttemptOutcome[] outcomes) =>
        JsonSerializer.Serialize(new OutcomeBatch { Outcomes = outcomes }, WireJson.Default.OutcomeBatch);

    private static (OutcomeReading Reading, IReadOnlyList<InputError> Errors) Read(string body, string? userId = "main-worker") =>
        Read(Encoding.UTF8.GetBytes(body), userId);

    private static (OutcomeReading Reading, IReadOnlyList<InputError> Errors) Read(byte[] body, string? userId = "main-worker")
    {
        var errors = new List<InputError>();
        return (OutcomeConsumer.Read(body, new DeliveryFacts { UserId = userId }, DateTimeOffset.UnixEpoch, errors), errors);
    }
}
