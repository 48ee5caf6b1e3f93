using System.Text.Json.Nodes;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests;

/// <summary>
/// The table of broker rights: enough for each role, and no more. The dispatchers and workers of all other journeys have the
/// rights of the table, too.
/// </summary>
public sealed class PermissionJourneys
{
    private const string Topic = "job.test.faulty";
    private static readonly string[] Topics = [Topic, "job.test.careful"];

    private static readonly string[] WorkerMay =
    [
        $"publish to {Exchanges.Outcomes}",
        $"read queue {Queues.Work("test")}",
        $"purge queue {Queues.Work("test")}",
    ];

    private static readonly string[] MassTransitMay =
    [
        $"publish to {Exchanges.Jobs}",
        $"delete exchange {Exchanges.Jobs}",
        "publish to dispatcher.unrouted",
        "delete exchange dispatcher.unrouted",
        "delete queue dispatcher.unrouted",
    ];

    [Fact]
    public async Task A_job_runs_through_with_every_role_on_the_rights_of_its_row()
    {
        await using var journey = await Journey.BeginAsync();
        await UsersAsync(journey);
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        await using var owner = await Mailbox.OpenAsync(journey, "testers", "dead-letters.testers.all", Exchanges.DeadLetter, "testers.#");
        await using var subscriber = await Mailbox.OpenAsync(journey, "watcher", "events.watcher.all", Exchanges.Events, "*.teller.#");
        await using var producer = await Mailbox.OpenAsync(journey, "teller", "reply.teller.1");
        await using var direct = await Mailbox.OpenAsync(journey, "teller", "amq.rabbitmq.reply-to");
        var (good, asked) = (AJob.On("job.test.careful"), AJob.On("job.test.careful"));
        var bad = AJob.On(Topic).With(new JsonObject { ["fault"] = "terminal" });

        await producer.PublishAsync(good, "reply.teller.1");
        await producer.PublishAsync(bad, "reply.teller.1");
        await direct.PublishAsync(asked, "amq.rabbitmq.reply-to");

        await Eventually.IsAsync(
            () =>
                Task.FromResult(
                    (producer.Received.Count, direct.Received.Count, owner.Received.Count) == (4, 2, 1) && subscriber.Received.Count >= 3
                ),
            () => "answers, events and a copy come\n" + journey.Logs(),
            TimeSpan.FromSeconds(40)
        );
        Assert.All(
            new[] { producer, direct, subscriber, owner }.SelectMany(mailbox => mailbox.Received),
            message => Assert.Equal(Journey.ServerUser, message.UserId)
        );
        Assert.Equal(2, producer.Received.Count(message => message.Type == MessageTypes.Decision));
        Assert.Equal("testers." + Topic, owner.Received.Single().RoutingKey);
        Assert.Equal(2, await journey.Records.CountAsync("succeeded", good.Topic));

        // The journey's end reads all queues, and no other connection can read an exclusive one.
        foreach (var mailbox in new[] { producer, direct, subscriber, owner })
        {
            await mailbox.DisposeAsync();
        }

        await journey.EndsWellAsync(expectedDeadLetters: 1);
    }

    [Fact]
    public async Task A_MassTransit_producer_can_declare_and_send()
    {
        await using var journey = await Journey.BeginAsync();
        await BrokerRoles.MakeUserAsync(journey.Name, "masstransit", IdentityKind.MassTransitProducer, Topics);
        await journey.DispatcherAsync();
        await using var connection = await journey.ConnectAsync("masstransit");

        var alternate = new Dictionary<string, object?> { ["alternate-exchange"] = "dispatcher.unrouted" };
        var declare = await BrokerProbe.IsRefusedAsync(
            connection,
            channel =>
                channel.ExchangeDeclareAsync(
                    Exchanges.Jobs,
                    ExchangeType.Topic,
                    durable: true,
                    autoDelete: false,
                    alternate,
                    cancellationToken: Now
                )
        );
        var send = await BrokerProbe.IsRefusedAsync(connection, BrokerProbe.Publish(Exchanges.Jobs, Topic));

        Assert.Equal((false, false), (declare, send));
        Assert.Empty(await BrokerProbe.GrantedAsync(journey.Name, connection, "masstransit", MassTransitMay));
    }

    /// <summary>Probes every exchange and queue that the broker has, not a list of the test.</summary>
    [Fact]
    public async Task Broker_refuses_each_role_the_rights_that_its_row_does_not_list()
    {
        await using var journey = await Journey.BeginAsync();
        await UsersAsync(journey);
        await journey.DispatcherAsync();
        await using var foreign = await Mailbox.OpenAsync(journey, "dispatcher", "reply.shipping.1");
        foreach (
            var (user, granted) in new (string, string[])[]
            {
                ("teller", [$"publish to {Exchanges.Jobs}"]),
                ("worker-test", WorkerMay),
                ("testers", []),
                ("watcher", []),
                ("metrics", []),
            }
        )
        {
            await using var connection = await journey.ConnectAsync(user);
            Assert.Equal(granted.Order(), (await BrokerProbe.GrantedAsync(journey.Name, connection, user, [])).Order());
        }
    }

    [Theory]
    [InlineData(
        "testers",
        "dead-letters.testers.all",
        Exchanges.DeadLetter,
        "testers.#",
        "#",
        "*.#",
        "*.malformed.#",
        "dispatcher.#",
        "#.testers",
        "platform.job.repo.read",
        "testersx.#",
        ""
    )]
    [InlineData(
        "watcher",
        "events.watcher.all",
        Exchanges.Events,
        "*.teller.#",
        "#",
        "*.*.#",
        "#.teller.#",
        "succeeded.shipping.#",
        "*.tellerx.#",
        "refused.#",
        ""
    )]
    public async Task A_binding_key_that_takes_in_others_is_refused(
        string user,
        string queue,
        string exchange,
        string own,
        params string[] others
    )
    {
        await using var journey = await Journey.BeginAsync();
        await UsersAsync(journey);
        await journey.DispatcherAsync();
        await using var mailbox = await Mailbox.OpenAsync(journey, user, queue, exchange, own);
        await using var connection = await journey.ConnectAsync(user);
        Assert.False(
            await BrokerProbe.IsRefusedAsync(
                connection,
                channel => channel.ExchangeDeclareAsync(queue, ExchangeType.Fanout, cancellationToken: Now)
            )
        );

        foreach (var key in others)
        {
            Assert.True(
                await BrokerProbe.IsRefusedAsync(
                    connection,
                    channel => channel.QueueBindAsync(queue, exchange, key, cancellationToken: Now)
                ),
                $"{user} bound \"{key}\"."
            );
            Assert.True(
                await BrokerProbe.IsRefusedAsync(
                    connection,
                    channel => channel.ExchangeBindAsync(queue, exchange, key, cancellationToken: Now)
                ),
                $"{user} bound \"{key}\" to an exchange."
            );
        }
    }

    [Fact]
    public async Task Producer_publishes_only_its_own_topics_and_binds_no_exchange()
    {
        await using var journey = await Journey.BeginAsync();
        await UsersAsync(journey);
        await journey.DispatcherAsync();
        await using var mailbox = await Mailbox.OpenAsync(journey, "teller", "reply.teller.1");
        await using var connection = await journey.ConnectAsync("teller");

        foreach (
            var key in new[]
            {
                "job.exec.shell",
                "job.test.once",
                "dispatcher.parked",
                "dispatcher.server.intake.parked",
                Topic + "x",
                Topic + "\n",
                "",
            }
        )
        {
            Assert.True(
                await BrokerProbe.IsRefusedAsync(connection, BrokerProbe.Publish(Exchanges.Jobs, key)),
                $"\"{key}\" was published."
            );
        }

        foreach (var exchange in (await Servers.ExchangesAsync(journey.Name)).Where(name => name.Length > 0))
        {
            Assert.True(
                await BrokerProbe.IsRefusedAsync(
                    connection,
                    channel => channel.QueueBindAsync("reply.teller.1", exchange, "#", cancellationToken: Now)
                ),
                $"bound to {exchange}."
            );
        }
    }

    [Fact]
    public async Task Server_cannot_read_answers_or_work_and_declares_only_its_own_queues()
    {
        await using var journey = await Journey.BeginAsync();
        await UsersAsync(journey);
        await journey.DispatcherAsync();
        await using var mailbox = await Mailbox.OpenAsync(journey, "dispatcher", "reply.teller.1");
        await using var connection = await journey.ConnectAsync(Journey.ServerUser);

        Assert.True(await BrokerProbe.IsRefusedAsync(connection, channel => channel.BasicGetAsync("reply.teller.1", autoAck: true, Now)));
        Assert.True(
            await BrokerProbe.IsRefusedAsync(connection, channel => channel.BasicGetAsync(Queues.Work("test"), autoAck: true, Now))
        );
        Assert.True(
            await BrokerProbe.IsRefusedAsync(connection, channel => channel.QueueDeclareAsync("reply.teller.2", cancellationToken: Now))
        );
        Assert.True(await BrokerProbe.IsRefusedAsync(connection, BrokerProbe.Publish("amq.topic", "x")));
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    /// <summary>One user for each role; server and workers come with the journey.</summary>
    private static async Task UsersAsync(Journey journey)
    {
        await BrokerRoles.MakeUserAsync(journey.Name, "teller", IdentityKind.Producer, Topics);
        await BrokerRoles.MakeUserAsync(journey.Name, "testers", IdentityKind.DeadLetterOwner);
        await BrokerRoles.MakeUserAsync(journey.Name, "watcher", IdentityKind.EventSubscriber, "teller");
        await BrokerRoles.MakeUserAsync(journey.Name, "metrics", IdentityKind.Monitoring);
    }
}
