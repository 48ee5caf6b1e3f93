using System.Net;
using System.Text.Json;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>Parts of the topology are deleted while the servers run.</summary>
public sealed class LostTopologyJourneys
{
    private const string Topic = "job.test.once";

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Server_declares_a_lost_intake_queue_again_and_a_lost_binding_loses_no_job()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, 20).Select(_ => AJob.On(Topic)).ToList();

        await journey.ChangeBrokerAsync(channel => channel.QueueDeleteAsync("dispatcher.server.intake", cancellationToken: Now));
        await billing.PublishAsync(jobs);
        await journey.SettledAsync(jobs.Count, seconds: 30);
        await Eventually.IsAsync(
            () => dispatcher.Log.Contains("The broker lost queue dispatcher.server.intake", StringComparison.Ordinal),
            "the loss is logged\n" + dispatcher.Log
        );

        // The server may declare the binding again before the jobs are published: then once more.
        await Eventually.IsAsync(
            async () =>
            {
                await journey.ChangeBrokerAsync(channel =>
                    channel.QueueUnbindAsync("dispatcher.server.intake", Exchanges.Jobs, "#", cancellationToken: Now)
                );
                jobs.Add(AJob.On(Topic));
                await billing.PublishAsync(jobs[^1]);
                return dispatcher.Log.Contains("submissions in from dispatcher.unrouted", StringComparison.Ordinal);
            },
            () => "a job takes the way through dispatcher.unrouted\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );
        await journey.SettledAsync(jobs.Count, seconds: 30);

        Assert.Equal(jobs.Count, await journey.Records.CountAsync("succeeded", Topic));
        Assert.All(jobs, job => Assert.NotNull(billing.Decision(job)));
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Jobs_run_after_the_work_queue_and_exchange_were_lost()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var billing = await journey.ProducerAsync();
        var job = AJob.On("job.test.brisk");
        await journey.Records.PretendWorkerAsync("test", 4);
        await billing.PublishAsync(job);
        await dispatcher.InStateAsync(job.JobId, "dispatched");

        await LoseWorkAsync();
        await journey.CountingWorkerAsync(dispatcher);
        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Contains("The broker lost queue dispatcher.work.test", dispatcher.Log, StringComparison.Ordinal);

        // The worker consumes from the new queue.
        await LoseWorkAsync();
        var next = AJob.On("job.test.brisk");
        await billing.PublishAsync(next);
        await dispatcher.InStateAsync(next.JobId, "succeeded");
        await journey.EndsWellAsync();

        Task LoseWorkAsync() =>
            journey.ChangeBrokerAsync(async channel =>
            {
                await channel.ExchangeDeleteAsync(Exchanges.Work, cancellationToken: Now);
                await channel.QueueDeleteAsync(Queues.Work("test"), cancellationToken: Now);
            });
    }

    [Fact]
    public async Task Server_is_not_ready_while_a_part_has_other_arguments_or_cannot_be_declared()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();

        // With no moment in between in which the server could declare it again.
        await journey.ChangeBrokerAsync(async channel =>
        {
            await channel.ExchangeDeleteAsync(Exchanges.Work, cancellationToken: Now);
            await channel.ExchangeDeclareAsync(Exchanges.Work, ExchangeType.Fanout, durable: true, cancellationToken: Now);
        });
        await TopologyIsAsync(dispatcher, "exchange dispatcher.work (direct) has other arguments");
        await journey.ChangeBrokerAsync(channel => channel.ExchangeDeleteAsync(Exchanges.Work, cancellationToken: Now));
        await TopologyIsAsync(dispatcher, "ok");

        await Servers.MakeUserAsync(journey.Name, Journey.ServerUser, "^$", ".*", ".*");
        await TopologyIsAsync(dispatcher, "cannot be declared: ACCESS_REFUSED");
        await BrokerRoles.MakeUserAsync(journey.Name, Journey.ServerUser, IdentityKind.Server);
        await TopologyIsAsync(dispatcher, "ok");
        Assert.True(dispatcher.Log.Split("The broker's topology is wrong").Length - 1 == 2, dispatcher.Log);
        await dispatcher.ReadyAsync();
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Server_and_worker_go_on_after_the_virtual_host_was_lost_and_made_again()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        var worker = await journey.CountingWorkerAsync(dispatcher);

        await Servers.DropVhostAsync(journey.Name);
        await Eventually.IsAsync(
            async () => await dispatcher.ReadinessAsync() is (HttpStatusCode.ServiceUnavailable, _),
            () => "it is not ready\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );

        // Handed in while there is no broker.
        var waiting = AJob.On("job.test.brisk");
        Assert.Equal(HttpStatusCode.Accepted, (await dispatcher.SubmitAsync(waiting.Body())).Status);
        await journey.MakeVhostAsync();
        await dispatcher.ReadyAsync();
        var published = AJob.On(Topic);
        await (await journey.ProducerAsync()).PublishAsync(published);

        await dispatcher.InStateAsync(waiting.JobId, "succeeded", seconds: 60);
        await dispatcher.InStateAsync(published.JobId, "succeeded", seconds: 60);
        Assert.False(worker.HasEnded, worker.Log);
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Copy_of_a_dead_letter_waits_for_a_queue_of_its_owner_and_a_message_past_the_exchange_is_refused()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.ForgeAsync(Exchanges.Jobs, "job.test.once", "{"u8.ToArray());
        await UndeliveredAsync(dispatcher, 1);
        await journey.ForgeAsync("dispatcher.unrouted", "job.test.once", AJob.On(Topic).Body());
        await UndeliveredAsync(dispatcher, 2);
        Assert.Contains(
            await dispatcher.DeadLettersAsync(),
            letter => letter.GetProperty("errors")[0].GetProperty("code").GetString() == "not_published_to_jobs"
        );
        Assert.Equal(0, await journey.Records.CountAsync("select count(*) from jobs"));

        // Only the server may write there. A message of another user is not passed on under the name of the server.
        await journey.ForgeAsync("", "dispatcher.server.undelivered", AJob.On(Topic).Body());

        // The queue of the producer is bound to all dead letters.
        var billing = await journey.ProducerAsync();
        await dispatcher.StopAsync();
        var restarted = await journey.DispatcherAsync();

        await Eventually.IsAsync(() => billing.DeadLetters.Count == 2, "the owner gets both\n" + restarted.Log);
        await UndeliveredAsync(restarted, 0);
        await journey.EndsWellAsync(expectedDeadLetters: 2);
    }

    /// <summary>The queue has no parked queue: the broker would drop it at the next return.</summary>
    [Fact]
    public async Task Message_over_the_delivery_limit_of_the_unrouted_queue_becomes_a_dead_letter()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        await journey.ProducerAsync();
        await journey.ForgeAsync("dispatcher.unrouted", Topic, AJob.On(Topic).Body());
        await journey.ChangeBrokerAsync(async channel =>
        {
            for (var i = 0; i < 20; i++)
            {
                var message = await channel.BasicGetAsync("dispatcher.unrouted", autoAck: false, Now);
                await channel.BasicNackAsync(message!.DeliveryTag, multiple: false, requeue: true, Now);
            }
        });

        var dispatcher = await journey.DispatcherAsync();

        await Eventually.IsAsync(
            async () => (await dispatcher.DeadLettersAsync()).Count == 1,
            () => "it is kept\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );
        Assert.Equal("poison", Assert.Single(await dispatcher.DeadLettersAsync()).GetProperty("errors")[0].GetProperty("code").GetString());
        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    private static Task UndeliveredAsync(DispatcherServer dispatcher, int count) =>
        Eventually.IsAsync(
            async () =>
                (await StatusAsync(dispatcher)).GetProperty("unrouted") is var unrouted
                && (unrouted.GetProperty("waiting").GetInt32(), unrouted.GetProperty("undelivered").GetInt32()) == (0, count),
            () => $"the status shows {count} copies that no queue took\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );

    private static Task TopologyIsAsync(DispatcherServer dispatcher, string text) =>
        Eventually.IsAsync(
            async () =>
                (await StatusAsync(dispatcher)) is var status
                && status.GetProperty("checks").GetProperty("topology").GetString()!.Contains(text, StringComparison.Ordinal)
                && (status.GetProperty("ready").GetBoolean() || text != "ok"),
            () => $"the topology is {text}\n" + dispatcher.Log,
            TimeSpan.FromSeconds(30)
        );

    private static async Task<JsonElement> StatusAsync(DispatcherServer dispatcher) =>
        (await dispatcher.SendAsync(HttpMethod.Get, "/api/status")).Body;
}
