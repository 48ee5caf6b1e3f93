using System.Globalization;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>Messages with forged headers, in the wrong queue, or of the server itself.</summary>
public sealed class ForgedMessageJourneys
{
    private const string Topic = "job.test.once";

    [Fact]
    public async Task Forged_headers_and_content_types_change_nothing()
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

    /// <summary>
    /// A message in a queue that only the broker should write to is read as what that queue holds, and its sender stays its sender.
    /// </summary>
    [Fact]
    public async Task Neither_a_header_nor_the_name_of_a_queue_says_where_a_message_comes_from()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.WaitShortAsync();
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

        // The queue of undelivered copies is read at the next start.
        string[] queues =
        [
            .. (await Servers.QueuesAsync(journey.Name)).Where(queue =>
                queue.StartsWith("dispatcher.server.", StringComparison.Ordinal)
                && !queue.Contains(".retry.", StringComparison.Ordinal)
                && queue != "dispatcher.server.undelivered"
            ),
        ];

        await billing.PublishAsync(parcels);
        foreach (var queue in queues)
        {
            // With the headers of a message that the server itself set aside.
            var headers = BrokerProbe.SetAside("dispatcher.server.intake", Topic);
            headers["dispatcher-original-user-id"] = "shipping";
            headers["dispatcher-original-routing-key"] = Topic;
            headers["dispatcher-original-since"] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture);
            await journey.ForgeAsync("", queue, AJob.On(Topic).Body(), headers);
        }

        Assert.Contains("dispatcher.server.intake.parked", queues);
        Assert.Contains("dispatcher.server.intake.newer", queues);
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
                Assert.DoesNotContain(parcels, parcel => copy.Body.AsSpan().IndexOf(parcel.Mark()) >= 0);
            }
        );
        await journey.EndsWellAsync(expectedDeadLetters: expected);
    }

    [Fact]
    public async Task Reply_address_of_another_principal_is_refused()
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

    /// <summary>A user that may bind a queue may let the queue dead-letter to the exchange of submissions.</summary>
    [Fact]
    public async Task Server_drops_its_own_messages_when_a_queue_returns_them_to_intake()
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
    public async Task Oversized_signals_and_signals_of_unknown_pools_delay_no_job()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var many = Enumerable.Range(0, 100_000).Select(n => "pool-" + n).ToList();
        var job = AJob.On(Topic);

        byte[][] signals =
        [
            JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = many }),
            JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = many.Take(4_000) }),
            JsonSerializer.SerializeToUtf8Bytes(new { v = 1, pools = new string?[] { null, "", "test", "test" } }),
        ];

        await journey.ForgeAsync("", "dispatcher.server.dispatch", Enumerable.Repeat(signals, 12).SelectMany(some => some));
        await journey.ForgeAsync("", "dispatcher.server.dispatch", "{"u8.ToArray());
        await billing.PublishAsync(job);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        await Eventually.IsAsync(
            () => dispatcher.Log.Split("A dispatch message cannot be read and is dropped").Length - 1 == 13,
            "each that cannot be read is logged\n" + dispatcher.Log
        );
        await journey.EndsWellAsync();
    }
}
