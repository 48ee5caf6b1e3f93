using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Submissions that cannot be read are answered, kept and shown, and delay no other.</summary>
public sealed class GarbageJourneys
{
    private const int GoodJobs = 600;
    private const int GarbageEvery = 10;
    private const string Topic = "job.test.once";

    private static readonly IEnumerable<string> Labels = Enumerable.Range(0, 500).Select(i => $"\"l{i}\": \"v\"");

    private static readonly Dictionary<string, object?> Forged = new()
    {
        ["MT-MessageType"] = "urn:message:Dispatcher.Contracts:SubmitJob",
    };

    [Fact]
    public async Task Garbage_among_good_jobs_is_kept_with_its_errors_and_delays_no_job()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, GoodJobs).Select(_ => AJob.On(Topic)).ToList();
        var garbage = Enumerable.Range(0, GoodJobs / GarbageEvery).Select(Garbage).ToList();

        await billing.PublishAsync(
            jobs.Select((job, i) => (Job: job.Parcel(), i))
                .SelectMany(pair => pair.i % GarbageEvery == 0 ? [garbage[pair.i / GarbageEvery].Parcel, pair.Job] : new[] { pair.Job })
        );

        await journey.SettledAsync(GoodJobs);
        Assert.Equal(GoodJobs, await journey.Records.CountAsync("succeeded", Topic));
        var letters = await dispatcher.DeadLettersAsync();
        Assert.Equal(garbage.Count, letters.Count);
        await Eventually.IsAsync(
            () => billing.DeadLetters.Count == garbage.Count && billing.Refusals.Count == garbage.Count,
            "copies and events of all garbage come\n" + journey.Logs()
        );
        var copies = billing
            .DeadLetters.Values.Select(copy => JsonSerializer.Deserialize(copy.Body, WireJson.Default.DeadLetterCopy)!)
            .ToList();
        foreach (var (parcel, code) in garbage)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(parcel.Body));
            var letter = Assert.Single(letters, letter => letter.GetProperty("body_sha256").GetString() == hash);
            Assert.Equal("malformed", letter.GetProperty("fault_class").GetString());
            Assert.Equal(parcel.Body.Length, letter.GetProperty("body_length").GetInt32());
            Assert.Contains(code, letter.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("code").GetString()));
            var whole = (
                await dispatcher.SendAsync(HttpMethod.Get, $"/api/dead-letters/{letter.GetProperty("dead_letter_id").GetString()}")
            ).Body;
            Assert.Equal(Kept(parcel.Body), whole.GetProperty("body_base64").GetBytesFromBase64());

            // The copy goes to each queue that is bound to the exchange: it refers to the bytes and contains none of them.
            var copy = Assert.Single(copies, copy => copy.DeadLetterId == letter.GetProperty("dead_letter_id").GetGuid());
            Assert.Contains(code, copy.ErrorCodes!);
            Assert.DoesNotContain(billing.DeadLetters.Values, other => other.Body.AsSpan().IndexOf(parcel.Mark()) >= 0);
            Assert.DoesNotContain(
                billing.Refusals.Values,
                refusal => refusal.Reason.Contains(Encoding.UTF8.GetString(parcel.Mark()), StringComparison.Ordinal)
            );
            if (parcel.UserId is not null)
            {
                var refused = Assert.Single(billing.RefusalsOf(parcel.Name));
                Assert.Equal(letter.GetProperty("dead_letter_id").GetGuid(), refused.DeadLetterId);
            }
        }

        await journey.EndsWellAsync(expectedDeadLetters: garbage.Count);
    }

    private static byte[] Kept(byte[] body) => body[..Math.Min(body.Length, 65_536)];

    /// <summary>The n-th piece, and the error it must be found with. Each has other bytes.</summary>
    private static (Parcel Parcel, string Code) Garbage(int n)
    {
        var id = Guid.CreateVersion7();
        return (n % 14) switch
        {
            0 => (Piece($$"""{"job_id": "{{id}}", "topic": """), "invalid_json"),
            1 => (
                Piece($$"""{"job_id": "{{id}}", "topic": 7, "labels": [1], "risk_tags": {}, "estimated_cost": "much"}"""),
                "not_a_string"
            ),
            2 => (
                new Parcel(Topic, [.. Encoding.UTF8.GetBytes(id.ToString()), .. new byte[1_048_576 - 36]], $"garbage {n}"),
                "body_too_large"
            ),
            3 => (Piece($$"""{"job_id": "{{id}}"}"""), "missing_topic"),
            4 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}"}""") with { RoutingKey = "job.test.denied" }, "topic_mismatch"),
            5 => (
                Piece(
                    $$"""
                    {"job_id": "{{id}}", "topic": "{{Topic}}", "labels": { {{string.Join(", ", Labels)}} } }
                    """
                ),
                "too_many_labels"
            ),
            6 => (
                new Parcel(
                    Topic,
                    [.. Encoding.UTF8.GetBytes($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "payload": "x"""), 0xC3, 0x28, .. "\"}"u8],
                    $"garbage {n}"
                ),
                "not_utf8"
            ),
            7 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "labels": {"env": "a\u0000b"} }"""), "nul_character"),
            8 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "payload": {"text": "\ud83d"} }"""), "lone_surrogate"),
            9 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}"}""") with { UserId = null }, "no_principal"),
            10 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}"}""") with { Name = $"garbage\0{n}" }, "nul_character"),
            11 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "priority": 9}"""), "unknown_field"),
            12 => (
                Piece($$"""{"job_id": "{{id}}", "topic": "job.test.strict", "payload": {"text": 7, "more": 1} }""") with
                {
                    RoutingKey = "job.test.strict",
                },
                "payload_invalid"
            ),
            _ => (
                Piece(
                    $$"""
                    {"message": {"job_id": "{{id}}", "topic": "{{Topic}}"},
                    "messageType": ["urn:message:Dispatcher.Broker:RawMessage"]}
                    """
                ) with
                {
                    Headers = Forged,
                },
                "unknown_field"
            ),
        };

        Parcel Piece(string text) => new(Topic, Encoding.UTF8.GetBytes(text), $"garbage {n}");
    }
}
