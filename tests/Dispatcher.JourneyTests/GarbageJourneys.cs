using System.Security.Cryptography;
using System.Text;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>What cannot be read is answered, kept and shown, and is in nobody's way.</summary>
public sealed class GarbageJourneys
{
    private const int GoodJobs = 600;
    private const int GarbageEvery = 10;
    private const string Topic = "job.test.once";

    private static readonly Dictionary<string, object?> Forged = new() { ["MT-MessageType"] = "urn:message:Dispatcher.Contracts:SubmitJob" };

    [Fact]
    public async Task Garbage_among_good_jobs_is_kept_with_its_errors_and_stops_nobody()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, GoodJobs).Select(_ => AJob.On(Topic)).ToList();
        var garbage = Enumerable.Range(0, GoodJobs / GarbageEvery).Select(Garbage).ToList();

        await billing.PublishAsync(jobs.Select((job, i) => (Job: job.Parcel(), i)).SelectMany(pair => pair.i % GarbageEvery == 0 ? [garbage[pair.i / GarbageEvery].Parcel, pair.Job] : new[] { pair.Job }));

        await journey.SettledAsync(GoodJobs);
        Assert.Equal(GoodJobs, await journey.Records.CountAsync("succeeded", Topic));
        var letters = await dispatcher.DeadLettersAsync();
        Assert.Equal(garbage.Count, letters.Count);
        await Eventually.IsAsync(() => billing.DeadLetters.Count == garbage.Count && billing.Refusals.Count == garbage.Count, "copies and events of all garbage come\n" + journey.Logs());
        foreach (var (parcel, code) in garbage)
        {
            var hash = Convert.ToHexStringLower(SHA256.HashData(parcel.Body));
            var letter = Assert.Single(letters, letter => letter.GetProperty("body_sha256").GetString() == hash);
            Assert.Equal("malformed", letter.GetProperty("fault_class").GetString());
            Assert.Equal(parcel.Body.Length, letter.GetProperty("body_length").GetInt32());
            Assert.Contains(code, letter.GetProperty("errors").EnumerateArray().Select(error => error.GetProperty("code").GetString()));
            var whole = (await dispatcher.SendAsync(HttpMethod.Get, $"/api/dead-letters/{letter.GetProperty("dead_letter_id").GetString()}")).Body;
            Assert.Equal(Kept(parcel.Body), whole.GetProperty("body_base64").GetBytesFromBase64());
            Assert.Contains(billing.DeadLetters.Values, copy => copy.Body.AsSpan().SequenceEqual(Kept(parcel.Body)));
            if (parcel.UserId is not null)
            {
                var refused = Assert.Single(billing.RefusalsOf(parcel.Name));
                Assert.Equal(letter.GetProperty("dead_letter_id").GetGuid(), refused.DeadLetterId);
            }
        }

        await journey.EndsWellAsync(expectedDeadLetters: garbage.Count);
    }

    [Fact]
    public async Task Forged_headers_and_content_types_do_not_matter()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var forged = new Dictionary<string, object?>
        {
            ["MT-MessageType"] = "urn:message:Dispatcher.Messaging:RawMessage",
            ["Content-Type"] = "application/vnd.masstransit+json",
            ["MT-Activity-Id"] = new byte[] { 0, 255, 1 },
            ["dispatcher-permit"] = "eyJhbGciOiJub25lIn0.e30.",
            ["dispatcher-user"] = "shipping",
            ["traceparent"] = 4711,
            ["x-death"] = "never",
        };
        var jobs = new[] { "application/octet-stream", "application/vnd.masstransit", "text/plain; charset=utf-16", "no/such/type;;;", null }.Select(type => (Job: AJob.On(Topic), Type: type)).ToList();

        await billing.PublishAsync(jobs.Select(job => job.Job.Parcel() with { ContentType = job.Type, Headers = forged }));

        await journey.SettledAsync(jobs.Count);
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", Topic));
        await journey.EndsWellAsync();
    }

    private static byte[] Kept(byte[] body) => body[..Math.Min(body.Length, 65_536)];

    /// <summary>The n-th piece, and the error it must be found with. Each has other bytes.</summary>
    private static (Parcel Parcel, string Code) Garbage(int n)
    {
        var id = Guid.CreateVersion7();
        return (n % 14) switch
        {
            0 => (Piece($$"""{"job_id": "{{id}}", "topic": """), "invalid_json"),
            1 => (Piece($$"""{"job_id": "{{id}}", "topic": 7, "labels": [1], "risk_tags": {}, "estimated_cost": "much"}"""), "not_a_string"),
            2 => (new Parcel(Topic, [.. Encoding.UTF8.GetBytes(id.ToString()), .. new byte[1_048_576 - 36]], $"garbage {n}"), "body_too_large"),
            3 => (Piece($$"""{"job_id": "{{id}}"}"""), "missing_topic"),
            4 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}"}""") with { RoutingKey = "job.test.denied" }, "topic_mismatch"),
            5 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "labels": { {{string.Join(", ", Enumerable.Range(0, 500).Select(i => $"\"l{i}\": \"v\""))}} } }"""), "too_many_labels"),
            6 => (new Parcel(Topic, [.. Encoding.UTF8.GetBytes($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "payload": "x"""), 0xC3, 0x28, .. "\"}"u8], $"garbage {n}"), "not_utf8"),
            7 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "labels": {"env": "a\u0000b"} }"""), "nul_character"),
            8 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "payload": {"text": "\ud83d"} }"""), "lone_surrogate"),
            9 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}"}""") with { UserId = null }, "no_principal"),
            10 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}"}""") with { Name = $"garbage\0{n}" }, "nul_character"),
            11 => (Piece($$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "priority": 9}"""), "unknown_field"),
            12 => (Piece($$"""{"job_id": "{{id}}", "topic": "job.test.strict", "payload": {"text": 7, "more": 1} }""") with { RoutingKey = "job.test.strict" }, "payload_invalid"),
            _ => (Piece($$"""{"message": {"job_id": "{{id}}", "topic": "{{Topic}}"}, "messageType": ["urn:message:Dispatcher.Messaging:RawMessage"]}""") with { Headers = Forged }, "unknown_field"),
        };

        Parcel Piece(string text) => new(Topic, Encoding.UTF8.GetBytes(text), $"garbage {n}");
    }
}
