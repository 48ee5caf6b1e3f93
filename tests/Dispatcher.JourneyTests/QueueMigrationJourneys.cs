using System.Text;
using Dispatcher.Broker;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace Dispatcher.JourneyTests;

/// <summary>An operator gives queues of an earlier version the arguments of this version.</summary>
public sealed class QueueMigrationJourneys
{
    private const string Topic = "job.test.denied";
    private const string Intake = "dispatcher.server.intake";
    private const string Migrator = "journey-migrator";

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Migration_that_is_killed_at_any_step_loses_no_message_and_changes_none()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        await DeclareOldAsync(journey);
        var billing = await journey.ProducerAsync();
        var jobs = Enumerable.Range(0, 20).Select(_ => AJob.On(Topic)).ToList();
        await billing.PublishAsync(jobs.Select(Parcel));
        var before = await ReadAsync(journey);
        Assert.Equal(20, before.Count);

        var (code, output) = await WhileConsumedAsync(journey, () => MigrateAsync(journey));
        Assert.True(code == 1, output);
        Assert.Contains("has 1 consumer(s)", output, StringComparison.Ordinal);
        Assert.Equal(before, await ReadAsync(journey));

        // Producers go on.
        for (var step = 1; await IsKilledAtAsync(journey, step); step++)
        {
            jobs.Add(AJob.On(Topic));
            await billing.PublishAsync([Parcel(jobs[^1])]);
        }

        var refused = journey.StartDispatcher();
        await Eventually.IsAsync(
            () => refused.Log.Contains("a queue migration is not finished", StringComparison.Ordinal),
            "the server reports the unfinished migration"
        );
        await refused.StopAsync();

        // At a kill between a confirm and an acknowledgement a message may be there twice, but these kills are between the steps. Messages
        // that a producer publishes while both queues are bound are in both.
        var after = await ReadAsync(journey);
        Assert.Equal(before, after.Where(message => before.Contains(message)));
        Assert.Equal(jobs.Select(job => job.JobId.ToString()).Order(), after.Select(message => message.Id).Distinct().Order());
        Assert.All(after, message => Assert.Equal(("billing", "60000", "kept"), (message.User, message.Expiration, message.Header)));
        Assert.Equal((0, "All queues have the arguments of this version.\n"), await MigrateAsync(journey));
        Assert.DoesNotContain(await Servers.QueuesAsync(journey.Name), queue => queue.Contains("holding", StringComparison.Ordinal));

        var dispatcher = await journey.DispatcherAsync();
        await Eventually.IsAsync(
            () => jobs.TrueForAll(job => billing.Decision(job) is not null),
            "each job is answered\n" + dispatcher.Log
        );
        Assert.Equal(jobs.Count, await journey.Records.CountAsync("select count(*) from denials where principal = 'billing'"));
        await journey.EndsWellAsync();
    }

    [Fact]
    public async Task Command_migrates_the_queues_that_a_server_reports()
    {
        await using var journey = await Journey.BeginAsync();
        await journey.DeclareQueuesAsync();
        var work = Queues.Work("test");
        await journey.ChangeBrokerAsync(async channel =>
        {
            await channel.QueueDeleteAsync(work, cancellationToken: Now);
            await channel.QueueDeclareAsync(work, durable: true, exclusive: false, autoDelete: false, cancellationToken: Now);
            await channel.QueueBindAsync(work, Exchanges.Work, "test", cancellationToken: Now);
        });
        var refused = journey.StartDispatcher();
        await Eventually.IsAsync(
            () => refused.Log.Contains($"queue {work} has other arguments", StringComparison.Ordinal),
            "the server reports the queue"
        );
        Assert.Contains("dispatcher queues migrate", refused.Log, StringComparison.Ordinal);
        await refused.StopAsync();
        await journey.ForgeAsync("", work, "{}"u8.ToArray());
        await IsRefusedWhileConnectedAsync(journey, "dispatcher-queues-migrate", "any", "Another run of the command");
        await IsRefusedWhileConnectedAsync(journey, Journey.ServerUser, "dispatcher topology", "1 server(s) are connected");
        await journey.ChangeBrokerAsync(channel => channel.QueueUnbindAsync(Intake, Exchanges.Jobs, "#", cancellationToken: Now));

        Assert.Equal((0, $"To migrate: {work}.\n"), await MigrateAsync(journey, "--dry-run"));
        Assert.Equal((0u, 1u), await journey.QueueAsync(work));
        using var broker = new BrokerManagement(Servers.ManagementSetting, journey.Name);
        Assert.DoesNotContain((Exchanges.Jobs, "#"), await broker.BindingsAsync(Intake, Now));
        var (code, output) = await MigrateAsync(journey);

        Assert.True(code == 0, output);
        Assert.EndsWith($"Migrated: {work} (1 message(s)).\n", output, StringComparison.Ordinal);
        Assert.Equal((0u, 1u), await journey.QueueAsync(work));
        await journey.DrainAsync(work, 1);
        await journey.DispatcherAsync();
    }

    /// <summary>The command changes nothing while such a client is connected.</summary>
    private static async Task IsRefusedWhileConnectedAsync(Journey journey, string user, string name, string why)
    {
        using var broker = new BrokerManagement(Servers.ManagementSetting, journey.Name);
        if (user != Journey.ServerUser)
        {
            await broker.PutUserAsync(user, GeneratedSecret.RabbitMqHash(Servers.Password), "", Now);
            await broker.PermitAsync(user, new BrokerRights(".*", ".*", ".*"), Now);
        }

        await using (var connection = new RabbitConnection(Servers.BrokerAs(user, journey.Name), name))
        {
            await connection.OpenAsync(Now);
            await Eventually.IsAsync(
                async () => (await broker.ConnectionsAsync(Now)).Any(listed => listed.User == user && listed.Name == name),
                () => "the broker lists the connection",
                TimeSpan.FromSeconds(20)
            );
            var (code, output) = await MigrateAsync(journey);
            Assert.True(code == 1, output);
            Assert.Contains(why, output, StringComparison.Ordinal);
        }

        if (user != Journey.ServerUser)
        {
            await broker.DeleteUserAsync(user, Now);
        }
    }

    private static Parcel Parcel(AJob job) =>
        job.Parcel() with
        {
            Expiration = "60000",
            Headers = new Dictionary<string, object?>
            {
                ["kind"] = "kept",
                ["CC"] = new List<object?> { "job.test.other" },
            },
        };

    /// <summary>As an earlier version could have declared it.</summary>
    private static Task DeclareOldAsync(Journey journey) =>
        journey.ChangeBrokerAsync(async channel =>
        {
            await channel.QueueDeleteAsync(Intake, cancellationToken: Now);
            var old = new Dictionary<string, object?> { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = 7 };
            await channel.QueueDeclareAsync(
                Intake,
                durable: true,
                exclusive: false,
                autoDelete: false,
                arguments: old,
                cancellationToken: Now
            );
            await channel.QueueBindAsync(Intake, Exchanges.Jobs, "#", cancellationToken: Now);
        });

    private static async Task<(int Code, string Output)> WhileConsumedAsync(Journey journey, Func<Task<(int, string)>> action)
    {
        await using var connection = await journey.ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        await channel.BasicQosAsync(0, 1, global: false, Now);
        await channel.BasicConsumeAsync(Intake, autoAck: false, new AsyncEventingBasicConsumer(channel), Now);
        return await action();
    }

    private static Task<(int Code, string Output)> MigrateAsync(Journey journey, params string[] options) =>
        CommandLineRun.OfAsync(
            new Dictionary<string, string>
            {
                ["DISPATCHER_RABBITMQ_MANAGEMENT"] = Servers.ManagementSetting,
                ["DISPATCHER_RABBITMQ"] = Servers.BrokerAs(Journey.ServerUser, journey.Name).AbsoluteUri,
            },
            ["queues", "migrate", .. options]
        );

    /// <summary>Runs the migration of the intake queue until it has reached a step. False: it ended before.</summary>
    private static async Task<bool> IsKilledAtAsync(Journey journey, int step)
    {
        using var broker = new BrokerManagement(Servers.ManagementSetting, journey.Name);
        await broker.PutUserAsync(Migrator, GeneratedSecret.RabbitMqHash(Servers.Password), "impersonator", Now);
        await broker.PermitAsync(Migrator, new BrokerRights(".*", ".*", ".*"), Now);
        await using var connection = new RabbitConnection(Servers.BrokerAs(Migrator, journey.Name), "migration");
        var reached = 0;
        await using var migration = new QueueMigration(
            connection,
            new QueueFacts(broker.QueuesAsync, broker.BindingsAsync, broker.MessagesAsync),
            _ => reached = reached < step - 1 ? reached + 1 : throw new TimeoutException("killed")
        );
        try
        {
            await migration.MigrateAsync(TopologyPart.OfServer.Single(part => part.QueueName == Intake), Now);
            return false;
        }
        catch (TimeoutException)
        {
            return true;
        }
    }

    /// <summary>The messages of the intake queue, which stay there.</summary>
    private static async Task<IReadOnlyList<Seen>> ReadAsync(Journey journey)
    {
        var seen = new List<Seen>();
        await journey.ChangeBrokerAsync(async channel =>
        {
            while (await channel.BasicGetAsync(Intake, autoAck: false, Now) is { } message)
            {
                var properties = message.BasicProperties;
                seen.Add(
                    new Seen(
                        properties.MessageId!,
                        properties.UserId,
                        message.RoutingKey,
                        Encoding.UTF8.GetString(message.Body.Span),
                        properties.Expiration,
                        Encoding.UTF8.GetString((byte[])properties.Headers!["kind"]!),
                        $"{properties.ReplyTo} {properties.CorrelationId} {properties.ContentType} {properties.DeliveryMode}"
                    )
                );
            }
        });
        return [.. seen.OrderBy(message => message.Id, StringComparer.Ordinal)];
    }

    private sealed record Seen(string Id, string? User, string Key, string Body, string? Expiration, string Header, string Others);
}
