using System.Text.Json.Nodes;
using System.Xml.Linq;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using MassTransit;

namespace Dispatcher.JourneyTests;

/// <summary>A producer that uses MassTransit: the program of the README, with the rights of its row in the table of broker users.</summary>
public sealed class MassTransitJourneys
{
    private const string User = "teller";
    private static readonly string[] Topics = ["job.repo.read", "job.test.once"];

    [Fact]
    public async Task MassTransit_producer_of_the_README_gets_its_decision_and_its_result()
    {
        await using var journey = await BeginAsync();
        journey.Policies.CopyShipped();
        var dispatcher = await journey.DispatcherAsync();
        await journey.RepoWorkerAsync(dispatcher);

        await using var producer = ChildProcess.OfOutput(
            "Dispatcher.JourneyProducer.dll",
            new Dictionary<string, string> { ["DISPATCHER_RABBITMQ"] = Servers.BrokerAs(User, journey.Name).AbsoluteUri },
            Journey.ServerUser
        );

        var code = await producer.EndAsync(TimeSpan.FromSeconds(60));
        Assert.True(code == 0, producer.Log);
        Assert.Matches("(?s)Accepted: .*Succeeded: .*A first commit", producer.Log);
        await journey.EndsWellAsync();
    }

    [Fact]
    public void README_shows_the_program_that_is_tested()
    {
        var program = File.ReadAllText(Path.Combine(Readme.Root, "tests", "Dispatcher.JourneyProducer", "Program.cs"));
        var pinned = XDocument
            .Load(Path.Combine(Readme.Root, "Directory.Packages.props"))
            .Descendants("PackageVersion")
            .Single(package => package.Attribute("Include")!.Value == "MassTransit.RabbitMQ")
            .Attribute("Version")!
            .Value;

        Assert.Contains($"```csharp\n{program.TrimEnd()}\n```", Readme.Text(), StringComparison.Ordinal);
        Assert.Contains($"dotnet add package MassTransit.RabbitMQ --version {pinned}", Readme.Text(), StringComparison.Ordinal);
        Assert.StartsWith("8.", pinned, StringComparison.Ordinal);
    }

    /// <summary>
    /// By default, MassTransit moves the answer to an error queue with the server's user_id. The broker refuses that, and the answer is
    /// delivered again.
    /// </summary>
    [Fact]
    public async Task Answer_is_delivered_once_when_its_handler_throws()
    {
        await using var journey = await BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var (decisions, ends) = (0, 0);
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(Servers.BrokerAs(User, journey.Name));
            rabbit.ReceiveEndpoint(
                $"reply.{User}.first",
                endpoint =>
                {
                    endpoint.ConfigureConsumeTopology = false;
                    endpoint.PublishFaults = false;
                    endpoint.DiscardFaultedMessages();
                    endpoint.DiscardSkippedMessages();
                    endpoint.UseRawJsonDeserializer(RawSerializerOptions.AddTransportHeaders, isDefault: true);
                    endpoint.Handler<JobDecision>(_ =>
                    {
                        Interlocked.Increment(ref decisions);
                        throw new InvalidOperationException("A handler fails.");
                    });
                    endpoint.Handler<JobEvent>(_ =>
                    {
                        Interlocked.Increment(ref ends);
                        return Task.CompletedTask;
                    });
                }
            );
        });
        await bus.StartAsync(TestContext.Current.CancellationToken);
        var jobs = Enumerable.Range(0, 3).Select(_ => AJob.On("job.test.once").With(new JsonObject { ["sleep_ms"] = 0 })).ToList();

        var endpoint = await bus.GetSendEndpoint(new Uri("exchange:dispatcher.jobs?type=topic&alternateexchange=dispatcher.unrouted"));
        foreach (var job in jobs)
        {
            await endpoint.Send(
                new SubmitJob { JobId = job.JobId, Topic = job.Topic },
                Addressed(job.Topic),
                TestContext.Current.CancellationToken
            );
        }

        await Eventually.IsAsync(
            () => Task.FromResult(Volatile.Read(ref ends) == jobs.Count),
            () => "each end comes\n" + journey.Logs(),
            TimeSpan.FromSeconds(30)
        );
        await bus.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(jobs.Count, decisions);
        await journey.EndsWellAsync();
    }

    private static async Task<Journey> BeginAsync()
    {
        var journey = await Journey.BeginAsync();
        await BrokerRoles.MakeUserAsync(journey.Name, User, IdentityKind.MassTransitProducer, Topics);
        return journey;
    }

    private static Action<SendContext<SubmitJob>> Addressed(string topic) =>
        context =>
        {
            context.SetRoutingKey(topic);
            var properties = context.GetPayload<RabbitMqSendContext>().BasicProperties;
            (properties.UserId, properties.ReplyTo) = (User, $"reply.{User}.first");
        };
}
