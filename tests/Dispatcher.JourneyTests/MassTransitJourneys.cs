using System.Text.Json;
using Dispatcher.Contracts;
using Dispatcher.JourneyTests.Staging;
using MassTransit;

namespace Dispatcher.JourneyTests;

/// <summary>A producer that uses MassTransit, as the README shows it.</summary>
public sealed class MassTransitJourneys
{
    [Fact]
    public async Task A_MassTransit_producer_publishes_a_job()
    {
        await using var journey = await Journey.BeginAsync();
        var dispatcher = await journey.DispatcherAsync();
        await journey.CountingWorkerAsync(dispatcher);
        var billing = await journey.ProducerAsync();
        await Servers.MakeUserAsync(
            journey.Name, "billing", @"^(dispatcher\.jobs|(reply\.)?billing\..*)$", @"^(dispatcher\.(jobs|unrouted)|(reply\.)?billing\..*)$", @"^(dispatcher\.(jobs|events|dead-letter)|(reply\.)?billing\..*)$");
        var address = Servers.BrokerAs("billing", journey.Name);
        var job = AJob.On("job.test.once");

        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit => rabbit.Host(address));
        await bus.StartAsync(TestContext.Current.CancellationToken);
        var jobs = await bus.GetSendEndpoint(new Uri("exchange:dispatcher.jobs?type=topic&alternateexchange=dispatcher.unrouted"));
        await jobs.Send(
            new SubmitJob { JobId = job.JobId, Topic = job.Topic, Payload = JsonSerializer.SerializeToElement(new { sleep_ms = 0 }) },
            context =>
            {
                context.SetRoutingKey(job.Topic);
                context.GetPayload<RabbitMqSendContext>().BasicProperties.UserId = "billing";
            },
            TestContext.Current.CancellationToken);
        await bus.StopAsync(TestContext.Current.CancellationToken);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal("billing", (await dispatcher.JobAsync(job.JobId)).GetProperty("principal").GetString());
        await Eventually.IsAsync(() => billing.EventsOf(job).Count == 1, "its end is told");
        await journey.EndsWellAsync();
    }
}
