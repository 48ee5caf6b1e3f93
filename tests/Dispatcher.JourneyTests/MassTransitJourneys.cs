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

        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(address);
            rabbit.Message<SubmitJob>(message => message.SetEntityName("dispatcher.jobs"));
            rabbit.Publish<SubmitJob>(publish => { publish.ExchangeType = "topic"; publish.SetExchangeArgument("alternate-exchange", "dispatcher.unrouted"); });
            rabbit.Send<SubmitJob>(send => send.UseRoutingKeyFormatter(context => context.Message.Topic));
            rabbit.ConfigurePublish(pipe => pipe.UseExecute(context => context.GetPayload<RabbitMqSendContext>().BasicProperties.UserId = "billing"));
        });
        await bus.StartAsync(TestContext.Current.CancellationToken);
        await bus.Publish(new SubmitJob { JobId = job.JobId, Topic = job.Topic, Payload = JsonSerializer.SerializeToElement(new { sleep_ms = 0 }) }, TestContext.Current.CancellationToken);
        await bus.StopAsync(TestContext.Current.CancellationToken);

        await dispatcher.InStateAsync(job.JobId, "succeeded");
        Assert.Equal("billing", (await dispatcher.JobAsync(job.JobId)).GetProperty("principal").GetString());
        await Eventually.IsAsync(() => billing.EventsOf(job).Count == 1, "its end is told");
        await journey.EndsWellAsync();
    }
}
