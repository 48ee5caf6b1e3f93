using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>What cannot be read is answered, kept and shown, and is in nobody's way.</summary>
public sealed partial class GarbageJourneys
{
    private const int GoodJobs = 600;
    private const int GarbageEvery = 10;
    private const string Topic = "job.test.once";

    private static readonly Dictionary<string, object?> Forged = new()
    {
        ["MT-MessageType"] = "urn:message:Dispatcher.Contracts:SubmitJob",
    };

    [Fact]
    public async Task Garbage_among_good_jobs_is_kept_with_its_errors_and_stops_nobody()
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

            // The copy goes to whoever binds the exchange: it refers to the bytes and has none of them.
            var copy = Assert.Single(copies, copy => copy.DeadLetterId == letter.GetProperty("dead_letter_id").GetGuid());
            Assert.Contains(code, copy.ErrorCodes!);
            Assert.DoesNotContain(billing.DeadLetters.Values, other => other.Body.AsSpan().IndexOf(Mark(parcel)) >= 0);
            Assert.DoesNotContain(
                billing.Refusals.Values,
                refusal => refusal.Reason.Contains(Encoding.UTF8.GetString(Mark(parcel)), StringComparison.Ordinal)
            );
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
            ["MT-MessageType"] = "urn:message:Dispatcher.Broker:RawMessage",
            ["Content-Type"] = "application/vnd.masstransit+json",
            ["MT-Activity-Id"] = new byte[] { 0, 255, 1 },
            ["dispatcher-permit"] = "eyJhbGciOiJub25lIn0.e30.",
            ["dispatcher-user"] = "shipping",
            ["traceparent"] = 4711,
            ["x-death"] = "never",
        };
        var jobs = new[]
        {
            "application/octet-stream",
            "application/vnd.masstransit",
            "text/plain; charset=utf-16",
            "no/such/type;;;",
            null,
        }
            .Select(type => (Job: AJob.On(Topic), Type: type))
            .ToList();

        await billing.PublishAsync(jobs.Select(job => job.Job.Parcel() with { ContentType = job.Type, Headers = forged }));

        await journey.SettledAsync(jobs.Count);
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", Topic));
        await journey.EndsWellAsync();
    }

    /// <summary>A message in a queue that only the broker should write to is read for what that queue holds, and its sender stays its sender.</summary>
    [Fact]
    public async Task Neither_a_header_nor_the_name_of_a_queue_says_where_a_message_comes_from()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        string[] keys =
        [
            "dispatcher.parked",
            "dispatcher.server.intake.parked",
            "dispatcher.intake",
            "dispatcher.server.intake",
            "job.test.denied",
        ];
        var parcels = keys.Select(
                (key, n) =>
                    AJob.On(Topic).Parcel() with
                    {
                        RoutingKey = key,
                        Name = $"forged {n}",
                        Headers = BrokerProbe.SetAside("dispatcher.intake", Topic),
                    }
            )
            .ToList();
        string[] queues =
        [
            .. (await Servers.QueuesAsync(journey.Name)).Where(queue =>
                queue.StartsWith("dispatcher.server.", StringComparison.Ordinal)
                && !queue.Contains(".retry.", StringComparison.Ordinal)
                && queue != "dispatcher.server.undelivered"
            ),
        ]; // read at the next start

        await billing.PublishAsync(parcels);
        foreach (var queue in queues)
        {
            await journey.ForgeAsync("", queue, AJob.On(Topic).Body(), BrokerProbe.SetAside("dispatcher.server.intake", Topic));
        }

        Assert.Contains("dispatcher.server.intake.parked", queues);
        await Eventually.IsAsync(
            () => parcels.All(parcel => billing.RefusalsOf(parcel.Name).Count == 1),
            "each is refused\n" + journey.Logs()
        );
        Assert.All(
            parcels,
            parcel => Assert.Contains("topic_mismatch", billing.RefusalsOf(parcel.Name)[0].Errors.Select(error => error.Code))
        );

        // Each but those among the signals and the events, which are no submissions and are dropped; in a poison queue also there.
        var expected =
            parcels.Count
            + queues.Count(queue =>
                queue.EndsWith(".poison", StringComparison.Ordinal)
                || queue.Contains("intake", StringComparison.Ordinal)
                || queue.Contains("outcomes", StringComparison.Ordinal)
            );
        await Eventually.IsAsync(
            async () => await journey.Records.DeadLettersAsync() == expected,
            () => "each is kept\n" + journey.Logs(),
            TimeSpan.FromSeconds(20)
        );
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from jobs"));
        await Eventually.IsAsync(() => billing.DeadLetters.Count == expected, "copies of all come\n" + journey.Logs());
        Assert.All(
            billing.DeadLetters.Values,
            copy =>
            {
                var read = JsonSerializer.Deserialize(copy.Body, WireJson.Default.DeadLetterCopy)!;
                Assert.Null(read.JobId);
                Assert.NotEmpty(read.ErrorCodes!);
                Assert.DoesNotContain(parcels, parcel => copy.Body.AsSpan().IndexOf(Mark(parcel)) >= 0);
            }
        );
        await journey.EndsWellAsync(expectedDeadLetters: expected);
    }

    [Fact]
    public async Task A_reply_address_that_would_never_be_answered_is_refused()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On(Topic);

        await billing.PublishAsync([job.Parcel() with { ReplyTo = "reply.shipping.1" }]);

        await Eventually.IsAsync(
            () => billing.Refusals.Values.Any(refusal => refusal.Reason == "malformed: bad_reply_to"),
            "the event says so\n" + dispatcher.Log
        );
        Assert.Equal(
            "bad_reply_to",
            Assert.Single(await dispatcher.DeadLettersAsync()).GetProperty("errors")[0].GetProperty("code").GetString()
        );
        Assert.Equal("", await dispatcher.StateAsync(job.JobId));
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    /// <summary>Whoever may bind a queue may have it dead-letter to the exchange of submissions.</summary>
    [Fact]
    public async Task Messages_of_the_server_that_a_queue_sends_back_to_intake_are_dropped()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        await journey.ChangeBrokerAsync(async channel =>
        {
            var back = new Dictionary<string, object?> { ["x-dead-letter-exchange"] = Exchanges.Jobs, ["x-message-ttl"] = 1 };
            await channel.QueueDeclareAsync(
                "loop",
                durable: true,
                exclusive: false,
                autoDelete: false,
                back,
                cancellationToken: TestContext.Current.CancellationToken
            );
            await channel.QueueBindAsync("loop", Exchanges.Events, "#", cancellationToken: TestContext.Current.CancellationToken);
            await channel.QueueBindAsync("loop", Exchanges.DeadLetter, "#", cancellationToken: TestContext.Current.CancellationToken);
        });

        await billing.PublishAsync([new Parcel(Topic, "{"u8.ToArray(), "broken")]);

        await Eventually.IsAsync(
            () =>
                dispatcher.Log.Contains("Dropped a message of type event", StringComparison.Ordinal)
                && dispatcher.Log.Contains("Dropped a message of type dead-letter", StringComparison.Ordinal),
            "both are dropped\n" + dispatcher.Log
        );
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    [Fact]
    public async Task Signals_that_are_oversized_or_name_unknown_pools_hold_nothing_up()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var many = Enumerable.Range(0, 100_000).Select(n => "pool-" + n).ToList();
        var job = AJob.On(Topic);

        for (var i = 0; i < 12; i++)
        {
            await journey.ForgeAsync("", "dispatcher.server.dispatch", JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = many }));
            await journey.ForgeAsync(
                "",
                "dispatcher.server.dispatch",
                JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = many.Take(4_000) })
            );
            await journey.ForgeAsync(
                "",
                "dispatcher.server.dispatch",
                JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = new string?[] { null, "", "test", "test" } })
            );
        }

        await journey.ForgeAsync("", "dispatcher.server.dispatch", "{"u8.ToArray());
        await billing.PublishAsync(job);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        await Eventually.IsAsync(
            () => dispatcher.Log.Split("A dispatch message cannot be read and is dropped").Length - 1 == 13,
            "each that cannot be read is logged\n" + dispatcher.Log
        );
        await journey.EndsWellAsync();
    }

    /// <summary>What tells a piece of garbage from all others: its job id.</summary>
    private static byte[] Mark(Parcel parcel) => Encoding.ASCII.GetBytes(Id().Match(Encoding.Latin1.GetString(parcel.Body)).Value);

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
                    $$"""{"job_id": "{{id}}", "topic": "{{Topic}}", "labels": { {{string.Join(", ", Enumerable.Range(0, 500).Select(i => $"\"l{i}\": \"v\""))}} } }"""
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
                    $$"""{"message": {"job_id": "{{id}}", "topic": "{{Topic}}"}, "messageType": ["urn:message:Dispatcher.Broker:RawMessage"]}"""
                ) with
                {
                    Headers = Forged,
                },
                "unknown_field"
            ),
        };

        Parcel Piece(string text) => new(Topic, Encoding.UTF8.GetBytes(text), $"garbage {n}");
    }

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Id();
}
