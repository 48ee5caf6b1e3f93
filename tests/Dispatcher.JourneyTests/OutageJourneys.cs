using System.Net;
using System.Text.Json;
using Dispatcher.JourneyTests.Staging;

namespace Dispatcher.JourneyTests;

/// <summary>The database or the broker is unavailable. <c>DISPATCHER_TEST_TRIES</c> makes the outage of the database longer.</summary>
public sealed class OutageJourneys
{
    private const string Topic = "job.test.once";
    private const string Intake = "dispatcher.server.intake";

    /// <summary>A held message counts as delivered in vain at each <c>consumer_timeout</c> of the broker.</summary>
    [Fact]
    public async Task No_message_is_held_while_the_database_is_unavailable_and_each_job_runs_once_afterwards()
    {
        await using var journey = await Journey.BeginAsync();
        var gate = journey.GateToDatabase();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, 10).Select(_ => AJob.On(Topic)).ToList();

        await journey.DatabaseAsync(isThere: false);
        await billing.PublishAsync(jobs);
        await Eventually.IsAsync(
            async () => await journey.QueueAsync(Intake) == (0, 10),
            () => "the server does not consume, and the messages wait in the queue\n" + dispatcher.Log,
            TimeSpan.FromSeconds(60)
        );
        var tries = gate.Connections + Journey.Number("DISPATCHER_TEST_TRIES", 10);
        await Eventually.IsAsync(
            async () =>
            {
                Assert.Equal((0u, 10u), await journey.QueueAsync(Intake));
                return gate.Connections >= tries;
            },
            () => "the server tries again and again to reach the database\n" + dispatcher.Log,
            TimeSpan.FromSeconds(60 + tries)
        );
        var checks = (await dispatcher.ReadinessAsync())!.Value.Body.GetProperty("checks");
        Assert.Equal(("failing", "ok", "ok"), (Check("store"), Check("broker"), Check("topology")));
        await journey.DatabaseAsync(isThere: true);

        await journey.SettledAsync(jobs.Count, seconds: 60);
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", Topic));
        Assert.Equal(1, dispatcher.Log.Split("consuming is paused").Length - 1);
        Assert.Equal(1, dispatcher.Log.Split("The database does not take writes").Length - 1);
        Assert.DoesNotContain("failed; it is retried every", dispatcher.Log, StringComparison.Ordinal);
        await journey.EndsWellAsync();

        string? Check(string name) => checks.GetProperty(name).GetString();
    }

    [Fact]
    public async Task Server_stops_while_the_database_is_unavailable()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherProcessAsync();
        await journey.DatabaseAsync(isThere: false);
        await (await journey.ProducerAsync()).PublishAsync(AJob.On(Topic));
        await Eventually.IsAsync(
            async () => (await journey.QueueAsync(Intake)).Consumers == 0,
            () => "the server does not consume\n" + dispatcher.Log,
            TimeSpan.FromSeconds(60)
        );

        Assert.True(await dispatcher.StopAsync() == 0, dispatcher.Log);

        await journey.DatabaseAsync(isThere: true);
    }

    [Fact]
    public async Task Changed_policy_comes_into_force_without_the_broker_and_its_queues_follow()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.SubmitAsync(AJob.On("job.test.line").Body())).Status);
        await Servers.DropVhostAsync(journey.Name);
        await Eventually.IsAsync(
            async () => await dispatcher.ReadinessAsync() is (HttpStatusCode.ServiceUnavailable, _),
            () => "it is not ready\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );

        journey.Policies.AddPool("fresh");
        await journey.ChangePoliciesAsync("  - { id: stop, match: { topic: job.test.line }, decision: DENY, reason: stop at once }\n");

        var (status, answer) = await dispatcher.SubmitAsync(AJob.On("job.test.line").Body());
        Assert.Equal((HttpStatusCode.Forbidden, "stop at once"), (status, answer.GetProperty("reason").GetString()));
        Assert.Contains("fresh", Pools(await dispatcher.PoliciesAsync()));
        Assert.Contains(
            "fresh",
            (await dispatcher.SendAsync(HttpMethod.Get, "/api/status")).Body.GetProperty("warnings").ToString(),
            StringComparison.Ordinal
        );

        await journey.MakeVhostAsync();
        await dispatcher.ReadyAsync();
        await Eventually.IsAsync(
            async () => Pools(await dispatcher.PoliciesAsync()).Count == 0,
            () => "all queues are declared\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );
        Assert.Contains("dispatcher.work.fresh", await Servers.QueuesAsync(journey.Name));
    }

    private static IReadOnlyList<string> Pools(JsonElement policies) =>
        [.. policies.GetProperty("pools_without_queue").EnumerateArray().Select(pool => pool.GetString()!)];
}
