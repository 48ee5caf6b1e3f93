using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using RabbitMQ.Client;
using Headers = Dispatcher.Contracts.Headers;

namespace Dispatcher.JourneyTests;

/// <summary>Workers that die, freeze and come back.</summary>
public sealed class WorkerJourneys
{
    [Fact]
    public async Task A_killed_worker_costs_an_idempotent_job_an_attempt()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var doomed = await journey.CountingWorkerProcessAsync(dispatcher);
        var job = AJob.On("job.test.once").With(new JsonObject { ["sleep_ms"] = 60_000 });
        await (await journey.ProducerAsync()).PublishAsync(job);
        await StartedAsync(journey, doomed, job);

        await doomed.KillAsync();
        await journey.CountingWorkerAsync(dispatcher);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal(
            ["accepted", "dispatched", "claimed", "fenced", "dispatched", "claimed", "succeeded"],
            await dispatcher.TimelineAsync(job.JobId)
        );
        Assert.Equal(1, await journey.Records.EffectsAsync());
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Frozen_worker_has_no_effect_when_it_continues_and_a_job_that_must_not_be_repeated_is_in_doubt()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var frozen = await journey.CountingWorkerProcessAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var idempotent = AJob.On("job.test.brisk").With(new JsonObject { ["sleep_ms"] = 1_500 });
        var careful = AJob.On("job.test.careful").With(new JsonObject { ["sleep_ms"] = 1_500 });
        await billing.PublishAsync(idempotent, careful);
        await StartedAsync(journey, frozen, idempotent, careful);

        frozen.Freeze();
        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(idempotent.JobId, "succeeded");
        Assert.Equal("running", await dispatcher.StateAsync(careful.JobId));
        await journey.Records.RunIsOverAsync(careful.JobId);
        await dispatcher.InStateAsync(careful.JobId, "dead_lettered");
        frozen.Unfreeze();

        await Eventually.IsAsync(
            () => frozen.Log.Split("run ended: fenced").Length == 3,
            "the worker notices that it lost both leases\n" + frozen.Log
        );
        Assert.Equal(1, await journey.Records.EffectsAsync());
        Assert.Equal("succeeded", await dispatcher.StateAsync(idempotent.JobId));
        Assert.Equal(["accepted", "dispatched", "claimed", "fenced"], await dispatcher.TimelineAsync(careful.JobId));
        var letter = Assert.Single(await dispatcher.DeadLettersAsync());
        Assert.Equal(
            (careful.JobId, "in_doubt", "testers"),
            (letter.GetProperty("job_id").GetGuid(), letter.GetProperty("fault_class").GetString(), letter.GetProperty("owner").GetString())
        );
        await Eventually.IsAsync(() => billing.DeadLetters.Count == 1, "the copy comes");
        Assert.Equal("testers.job.test.careful", Assert.Single(billing.DeadLetters.Values).RoutingKey);
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    [Fact]
    public async Task Outcome_after_the_lease_is_recorded_as_late_and_changes_no_state()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once");
        await journey.Records.PretendWorkerAsync("test", 1);
        await using var connection = await journey.ConnectAsync("worker-test");
        var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true),
            Now
        );
        await billing.PublishAsync(job);
        var (body, permit) = await TakeAsync(channel);
        var key = await dispatcher.MakeKeyAsync("worker-test", "worker:test");
        var claim = await ClaimAsync(dispatcher, key, permit);
        await dispatcher.InStateAsync(job.JobId, "dispatched");

        // The worker of its own making sends no heartbeat: its attempt goes to another.
        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        var outcome = new OutcomeBatch
        {
            Outcomes =
            [
                new AttemptOutcome
                {
                    JobId = job.JobId,
                    Attempt = body.Attempt,
                    RunId = claim.RunId!.Value,
                    Worker = "slow",
                    PermitId = claim.PermitId!.Value,
                    Kind = OutcomeKind.Succeeded,
                    Result = JsonSerializer.SerializeToElement("too late"),
                    StartedAt = DateTimeOffset.UnixEpoch,
                    EndedAt = DateTimeOffset.UnixEpoch,
                },
            ],
        };
        await channel.BasicPublishAsync(
            Exchanges.Outcomes,
            "",
            mandatory: true,
            new BasicProperties { UserId = "worker-test", DeliveryMode = DeliveryModes.Persistent },
            JsonSerializer.SerializeToUtf8Bytes(outcome, WireJson.Default.OutcomeBatch),
            Now
        );

        await Eventually.IsAsync(
            async () => (await dispatcher.TimelineAsync(job.JobId))[^1] == "late_outcome",
            () => "it is on the timeline\n" + dispatcher.Log,
            TimeSpan.FromSeconds(10)
        );
        Assert.Equal("succeeded", await dispatcher.StateAsync(job.JobId));
        Assert.Equal(2, (await dispatcher.JobAsync(job.JobId)).GetProperty("result").GetProperty("attempt").GetInt32());
        Assert.Equal(ClaimStatus.Fenced, (await ClaimAsync(dispatcher, key, permit)).Status);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Permit_is_granted_once_and_a_repeated_request_gets_the_same_answer()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.once");
        await journey.Records.PretendWorkerAsync("test", 1);
        await using var connection = await journey.ConnectAsync("worker-test");
        var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        await billing.PublishAsync(job);
        var (_, permit) = await TakeAsync(channel);
        var key = await dispatcher.MakeKeyAsync("worker-test", "worker:test");
        var request = new ClaimRequest
        {
            Worker = "twice",
            ClaimId = Guid.CreateVersion7(),
            Permits = [permit, permit],
        };

        var first = await ClaimAsync(dispatcher, key, request);
        var again = await ClaimAsync(dispatcher, key, request);
        var redelivered = await ClaimAsync(dispatcher, key, permit);

        Assert.Equal([ClaimStatus.Granted, ClaimStatus.Taken], first.Select(claim => claim.Status));
        Assert.Equal([ClaimStatus.Granted, ClaimStatus.Taken], again.Select(claim => claim.Status));
        Assert.Equal(first[0].RunId, again[0].RunId);
        Assert.Equal(ClaimStatus.Taken, redelivered.Status);
        var othersKey = await dispatcher.MakeKeyAsync("worker-repo", "worker:repo");
        Assert.Equal(ClaimStatus.Invalid, (await ClaimAsync(dispatcher, othersKey, permit)).Status);
        Assert.Equal(ClaimStatus.Invalid, (await ClaimAsync(dispatcher, key, permit[..^8] + "AAAAAAAA")).Status);
    }

    [Theory]
    [InlineData(
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
    )]
    [InlineData("""{"text":"\ud83d"}""")]
    [InlineData("""{"a":1,"a":2}""")]
    public async Task Result_that_cannot_be_stored_ends_only_its_own_job(string result)
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();

        // A job that must not be repeated keeps its run without heartbeats, however slow the machine is.
        List<AJob> jobs = [AJob.On("job.test.careful"), AJob.On("job.test.careful"), AJob.On("job.test.careful")];
        await journey.Records.PretendWorkerAsync("test", jobs.Count);
        await using var connection = await journey.ConnectAsync("worker-test");
        var channel = await connection.CreateChannelAsync(
            new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true),
            Now
        );
        await billing.PublishAsync(jobs);
        var key = await dispatcher.MakeKeyAsync("worker-test", "worker:test");
        var outcomes = new List<string>();
        foreach (var _ in jobs)
        {
            var (body, permit) = await TakeAsync(channel);
            var claim = await ClaimAsync(dispatcher, key, permit);
            outcomes.Add(
                $$"""
                {"job_id":"{{body.JobId}}","attempt":1,"run_id":"{{claim.RunId}}","worker":"slow","permit_id":"{{claim.PermitId}}",
                "kind":"succeeded",
                "result":{{(
                    body.JobId == jobs[1].JobId ? result : "1"
                )}},"started_at":"2026-01-01T00:00:00Z","ended_at":"2026-01-01T00:00:00Z"}
                """
            );
        }

        await channel.BasicPublishAsync(
            Exchanges.Outcomes,
            "",
            mandatory: true,
            new BasicProperties { UserId = "worker-test", DeliveryMode = DeliveryModes.Persistent },
            Encoding.UTF8.GetBytes($$"""{"v":1,"outcomes":[{},{{string.Join(',', outcomes)}},7]}"""),
            Now
        );

        await dispatcher.InStateAsync(jobs[1].JobId, "dead_lettered");
        await dispatcher.InStateAsync(jobs[0].JobId, "succeeded");
        await dispatcher.InStateAsync(jobs[2].JobId, "succeeded");
        await Eventually.IsAsync(
            async () => (await dispatcher.DeadLettersAsync()).Count == 2,
            () => "what names no run is kept\n" + dispatcher.Log,
            TimeSpan.FromSeconds(20)
        );
        var letters = (await dispatcher.DeadLettersAsync()).ToDictionary(letter => letter.GetProperty("fault_class").GetString()!);
        Assert.Equal(
            ("bad_result", 1),
            (
                letters["terminal"].GetProperty("fault").GetProperty("code").GetString(),
                letters["terminal"].GetProperty("attempt").GetInt32()
            )
        );
        Assert.Equal("[{},7]".Length, letters["malformed"].GetProperty("body_length").GetInt32());
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static Task StartedAsync(Journey journey, ChildProcess worker, params AJob[] jobs) =>
        Eventually.IsAsync(
            async () =>
                (await Task.WhenAll(jobs.Select(job => journey.Records.StartsAsync(job.JobId, worker.ProcessId)))).All(starts =>
                    starts == 1
                ),
            () => "the runs begin\n" + journey.Logs(),
            TimeSpan.FromSeconds(20)
        );

    /// <summary>Takes one work message off the queue and acks it.</summary>
    private static async Task<(WorkMessage Body, string Permit)> TakeAsync(IChannel channel)
    {
        BasicGetResult? work = null;
        await Eventually.IsAsync(
            async () => (work = await channel.BasicGetAsync(Queues.Work("test"), autoAck: true, Now)) is not null,
            () => "the work message comes",
            TimeSpan.FromSeconds(20)
        );
        var permit = Encoding.ASCII.GetString((byte[])work!.BasicProperties.Headers![Headers.Permit]!);
        return (JsonSerializer.Deserialize(work.Body.Span, WireJson.Default.WorkMessage)!, permit);
    }

    private static async Task<Claim> ClaimAsync(DispatcherServer dispatcher, string key, string permit)
    {
        return Assert.Single(
            await ClaimAsync(
                dispatcher,
                key,
                new ClaimRequest
                {
                    Worker = "slow",
                    ClaimId = Guid.CreateVersion7(),
                    Permits = [permit],
                }
            )
        );
    }

    private static async Task<IReadOnlyList<Claim>> ClaimAsync(DispatcherServer dispatcher, string key, ClaimRequest request)
    {
        var (status, body) = await dispatcher.SendAsync(
            HttpMethod.Post,
            "/api/attempts/claim",
            JsonSerializer.SerializeToUtf8Bytes(request, WireJson.Default.ClaimRequest),
            key
        );
        Assert.Equal(HttpStatusCode.OK, status);
        return body.Deserialize(WireJson.Default.ClaimAnswer)!.Claims;
    }
}
