using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Messages that a broker with default settings accepts, and that are too large or too odd for the client library: they are refused, and
/// disturb no other message.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class OversizedJourneys
{
    private const string Topic = "job.test.once";
    private const int MiB = 1_048_576;

    /// <summary>One byte more than the default limit of the client library.</summary>
    private const int OverClientDefault = (64 * MiB) + 1;

    /// <summary>The largest size in MiB below the default limit of RabbitMQ 3.10.</summary>
    private const int UnderBrokerDefault = 127 * MiB;

    /// <summary>Of the whole server process: some 200 MiB at rest, and 34 MiB of bodies for each bus (ops/decisions/0020).</summary>
    private const int MostMemoryMiB = 400;

    [Fact]
    public async Task Oversized_messages_are_refused_at_every_queue_and_close_no_connection()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var connections = await journey.ServerConnectionsAsync();
        var jobs = Enumerable.Range(0, 40).Select(_ => AJob.On(Topic)).ToList();

        await billing.PublishAsync(jobs[..20]);
        await billing.PublishAsync([
            new Parcel(Topic, new byte[OverClientDefault], "over client default"),
            new Parcel(Topic, new byte[UnderBrokerDefault], "under broker default"),
        ]);
        foreach (var queue in new[] { "outcomes", "dispatch", "approval-watch", "retry.5s", "intake.parked", "intake.poison" })
        {
            await journey.ForgeAsync("", "dispatcher.server." + queue, new byte[OverClientDefault]);
        }

        await billing.PublishAsync(jobs[20..]);

        await journey.SettledAsync(jobs.Count);
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", Topic));
        await Eventually.IsAsync(
            async () => (await dispatcher.DeadLettersAsync()).Count == 5,
            () => "all oversized messages are kept\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );
        var letters = await dispatcher.DeadLettersAsync();
        Assert.Equal(
            ["malformed 133169152", "malformed 67108865", "malformed 67108865", "malformed 67108865", "poison 67108865"],
            letters
                .Select(letter => $"{letter.GetProperty("fault_class").GetString()} {letter.GetProperty("body_length").GetInt32()}")
                .Order(StringComparer.Ordinal)
        );
        Assert.All(letters, letter => Assert.Equal(64, letter.GetProperty("body_sha256").GetString()!.Length));
        foreach (var name in new[] { "over client default", "under broker default" })
        {
            await Eventually.IsAsync(() => billing.RefusalsOf(name).Count > 0, "the producer is answered\n" + journey.Logs());
            Assert.Equal("body_too_large", Assert.Single(Assert.Single(billing.RefusalsOf(name)).Errors).Code);
        }

        Assert.Subset((await journey.ServerConnectionsAsync()).ToHashSet(), connections.ToHashSet());
        await dispatcher.StopAsync();
        await journey.DispatcherProcessAsync();
        await journey.EndsWellAsync(expectedDeadLetters: letters.Count);
    }

    [Fact]
    public async Task Many_large_messages_at_once_are_held_in_bounded_memory()
    {
        const int Messages = 16;
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        var billing = await journey.ProducerAsync();
        var body = new byte[40 * MiB];
        for (var i = 0; i < Messages; i++)
        {
            await billing.PublishAsync([new Parcel(Topic, body, $"large {i}")]);
        }

        // All of them wait already when the server begins to read: as many as the prefetch allows could be delivered at once.
        var dispatcher = await journey.DispatcherProcessAsync();

        await Eventually.IsAsync(
            async () => (await dispatcher.DeadLettersAsync()).Count == Messages,
            () => "all large messages are refused\n" + journey.Logs(),
            TimeSpan.FromSeconds(60)
        );
        Assert.InRange(dispatcher.PeakMemoryMiB, 1, MostMemoryMiB);
        var problems = "";
        await Eventually.IsAsync(
            async () =>
            {
                problems = (await dispatcher.SendAsync(HttpMethod.Get, "/api/status")).Body.GetProperty("problems").ToString();
                return problems.Contains("max_message_size", StringComparison.Ordinal);
            },
            () => $"the status shows the limit of the broker; seen: {problems}\n{journey.Logs()}",
            TimeSpan.FromSeconds(10)
        );
        await journey.EndsWellAsync(expectedDeadLetters: Messages);
    }

    [Fact]
    public async Task Headers_that_the_client_library_cannot_parse_do_not_close_the_connection()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var connections = await journey.ServerConnectionsAsync();
        var jobs = Enumerable.Range(0, 3).Select(_ => AJob.On(Topic)).ToList();
        await using (var raw = await RawPublisher.ConnectAsync(journey.Name, "billing"))
        {
            await raw.PublishAsync("dispatcher.jobs", Topic, RawPublisher.Decimal(scale: 29), jobs[0].Body());
            await raw.PublishAsync("dispatcher.jobs", Topic, RawPublisher.Decimal(scale: 255), jobs[1].Body());
            await raw.PublishAsync("dispatcher.jobs", Topic, RawPublisher.NestedArrays(levels: 26_000), jobs[2].Body());
        }

        await journey.SettledAsync(jobs.Count);

        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", Topic));
        Assert.Subset((await journey.ServerConnectionsAsync()).ToHashSet(), connections.ToHashSet());
        await journey.EndsWellAsync();
    }
}
