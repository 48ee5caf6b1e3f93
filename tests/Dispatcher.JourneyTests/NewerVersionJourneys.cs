using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>Messages of a format that this server does not know, as a newer program sends them during a rolling upgrade.</summary>
public sealed class NewerVersionJourneys
{
    private const string Topic = "job.test.held";
    private const string Intake = "dispatcher.server.intake";
    private const string Outcomes = "dispatcher.server.outcomes";
    private const string User = "dispatcher-original-user-id";
    private const string Since = "dispatcher-original-since";
    private const string Expires = "dispatcher-original-expires-at";

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Submission_of_a_newer_version_waits_for_a_newer_server_and_keeps_its_sender()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.WaitShortAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On(Topic);
        var newer = Encoding.UTF8.GetBytes("""{"v":2,"future":[1],""" + Encoding.UTF8.GetString(job.Body())[1..]);
        var headers = new Dictionary<string, object?>
        {
            ["CC"] = new List<object?> { "dispatcher.server.undelivered" },
            ["future"] = "kept",
            [User] = "shipping",
        };

        await billing.PublishAsync([job.Parcel() with { Body = newer, Headers = headers }]);
        await Eventually.IsAsync(
            () => dispatcher.Log.Split("A message of billing from dispatcher.server.intake has a newer format").Length > 2,
            "it is read again and waits again\n" + dispatcher.Log
        );
        Assert.Empty(billing.Answers);
        Assert.Equal(0, await journey.Records.DeadLettersAsync());
        var (status, body) = await dispatcher.SubmitAsync(newer);
        Assert.Equal((HttpStatusCode.BadRequest, "newer_version"), (status, body.GetProperty("errors")[0].GetProperty("code").GetString()));
        Assert.Contains("Seen: 2; this server knows 1", body.ToString(), StringComparison.Ordinal);
        Assert.Equal(0, await dispatcher.StopAsync());

        var waiting = await TakeAsync(journey, Intake + ".parked");
        Assert.Equal(newer, waiting.Body.ToArray());
        Assert.Equal((Journey.ServerUser, "billing"), (waiting.BasicProperties.UserId, Header(waiting, User)));
        Assert.Equal("kept", Header(waiting, "future"));
        Assert.DoesNotContain("CC", waiting.BasicProperties.Headers!.Keys);
        Assert.Equal(0u, (await journey.QueueAsync("dispatcher.server.undelivered")).Messages);

        // A server that knows the format reads the same message: here its body has the known one.
        var old = AJob.On(Topic);
        await ReturnAsync(journey, waiting, job.Body());
        await ReturnAsync(journey, waiting, newer, new() { [Since] = "0" }, "too old");
        await ReturnAsync(journey, waiting, newer, new() { [Expires] = "1" }, "expired");

        // Copies that left their path: the server's name must not stand for their sender.
        await ReturnAsync(journey, waiting, AJob.On(Topic).Body(), [], "lost", Intake);
        await ReturnAsync(journey, waiting, AJob.On(Topic).Body(), [], "lost", Outcomes);
        await ReturnAsync(journey, waiting, newer, [], "poison", Intake + ".poison");
        await billing.PublishAsync([old.Parcel() with { Headers = Forged() }]);
        dispatcher = await journey.DispatcherAsync();
        await dispatcher.InStateAsync(job.JobId, "held");
        await dispatcher.InStateAsync(old.JobId, "held");
        await Eventually.IsAsync(
            () => billing.Decision(job) is not null && billing.RefusalsOf("too old").Count == 1 && billing.RefusalsOf("expired").Count == 1,
            "all are answered\n" + dispatcher.Log
        );
        await Eventually.IsAsync(
            async () => await journey.Records.DeadLettersAsync() == 5,
            () => "all others are refused\n" + dispatcher.Log,
            TimeSpan.FromSeconds(10)
        );

        Assert.Equal("newer_version", billing.RefusalsOf("too old")[0].Errors[0].Code);
        Assert.Equal("newer_version", billing.RefusalsOf("expired")[0].Errors[0].Code);
        Assert.Equal(3, dispatcher.Log.Split("Refused a message of billing from dispatcher.server.intake with a newer format").Length);
        Assert.Equal(2, await journey.Records.CountAsync("select count(*) from jobs"));
        Assert.Equal(2, await journey.Records.CountAsync("select count(*) from jobs where principal = 'billing'"));
        Assert.Equal(2, await journey.Records.CountAsync("select count(*) from dead_letters where principal = 'billing'"));
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from dead_letters where principal = 'server'"));
        await journey.EndsWellAsync(expectedDeadLetters: 5);
    }

    [Fact]
    public async Task Run_waits_while_its_outcome_of_a_newer_version_waits()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.WaitShortAsync();
        var dispatcher = await journey.DispatcherAsync();
        var worker = await WireWorker.BeginAsync(journey, dispatcher);
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.stream");
        await billing.PublishAsync(job);
        var (work, claim) = await worker.ClaimAsync();
        var outcome = JsonSerializer.Serialize(WireWorker.Succeeded(work, claim), WireJson.Default.OutcomeBatch);

        // Without the delay queue the message is held, and counts as no delivery. The server declares the queue again.
        await journey.ChangeBrokerAsync(channel => channel.QueueDeleteAsync(Outcomes + ".newer", cancellationToken: Now));
        await worker.SendAsync(outcome.Replace("\"v\":1,", "\"v\":2,\"future\":1,", StringComparison.Ordinal));

        // The worker sends no heartbeat: only the waiting outcome keeps the lease. The lease lasts three heartbeats.
        await journey.Records.LeaseIsShortAsync(job.JobId);
        await Eventually.IsAsync(
            async () => await journey.Records.LeaseSecondsAsync(job.JobId) > 1,
            () => "the lease is extended\n" + dispatcher.Log,
            TimeSpan.FromSeconds(10)
        );
        Assert.Equal("running", await dispatcher.StateAsync(job.JobId));
        await Eventually.IsAsync(
            () =>
                dispatcher.Log.Contains(
                    "A message of worker-test from dispatcher.server.outcomes has a newer format",
                    StringComparison.Ordinal
                ),
            "the outcome waits\n" + dispatcher.Log
        );
        Assert.Contains("did not confirm a copy for dispatcher.server.outcomes.newer", dispatcher.Log, StringComparison.Ordinal);
        await worker.SendAsync(outcome);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal(0, await journey.Records.DeadLettersAsync());
        Assert.Equal(0, await dispatcher.StopAsync());
        Assert.Equal("worker-test", Header(await TakeAsync(journey, Outcomes + ".parked"), User));
    }

    /// <summary>What a client writes who wants to be another.</summary>
    private static Dictionary<string, object?> Forged() =>
        new(BrokerProbe.SetAside(Intake + ".newer", Topic, "expired"))
        {
            [User] = "shipping",
            [Since] = DateTimeOffset.UtcNow.ToUnixTimeMilliseconds().ToString(CultureInfo.InvariantCulture),
        };

    private static string? Header(BasicGetResult message, string name) =>
        message.BasicProperties.Headers!.TryGetValue(name, out var value) ? Encoding.UTF8.GetString((byte[])value!) : null;

    private static async Task<BasicGetResult> TakeAsync(Journey journey, string queue)
    {
        BasicGetResult? taken = null;
        await journey.ChangeBrokerAsync(channel =>
            Eventually.IsAsync(
                async () => (taken = await channel.BasicGetAsync(queue, autoAck: true, Now)) is not null,
                () => $"a message comes to {queue}\n{journey.Logs()}",
                TimeSpan.FromSeconds(10)
            )
        );
        return taken!;
    }

    private static async Task ReturnAsync(
        Journey journey,
        BasicGetResult message,
        byte[] body,
        Dictionary<string, string>? headers = null,
        string? name = null,
        string queue = Intake + ".newer"
    )
    {
        await using var connection = await journey.ConnectAsync(Journey.ServerUser);
        await using var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true),
            Now
        );
        var properties = new BasicProperties(message.BasicProperties);
        properties.Headers = properties.Headers!.Where(header => !header.Key.StartsWith("x-", StringComparison.Ordinal)).ToDictionary();
        foreach (var (header, value) in headers ?? [])
        {
            properties.Headers[header] = value;
        }

        (properties.CorrelationId, properties.MessageId) = (name ?? properties.CorrelationId, name ?? properties.MessageId);
        await channel.BasicPublishAsync("", queue, mandatory: true, properties, body, Now);
    }
}
