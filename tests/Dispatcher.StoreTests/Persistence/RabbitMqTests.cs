using MassTransit;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>Tests addresses, routing and confirms of a real broker, and delays without its plugin.</summary>
public sealed class RabbitMqTests() : PersistenceTest(StoreKind.Postgres)
{
    private const string Variable = "DISPATCHER_TEST_RABBITMQ";

    [Fact]
    public async Task Messages_from_consumers_sagas_scopes_and_schedules_arrive_once_over_RabbitMQ()
    {
        var host = await StartAsync(
            new HostSetup
            {
                Loops = true,
                RabbitMq = Address(),
                Retries = 1,
                Period = TimeSpan.FromMilliseconds(50),
            }
        );
        var (order, messageId) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        host.Script.OnPlace = async (context, _) =>
        {
            await context.Publish(new Placed(order, 1));
            await context.Publish(new AddAmount(order, 7));
            await context.ScheduleSend(new Uri("queue:Recorder"), TimeSpan.FromSeconds(1), new Placed(order, 2));
        };

        await using (var scope = host.Scope())
        {
            await scope
                .ServiceProvider.GetRequiredService<IPublishEndpoint>()
                .Publish(new Place(order), context => context.MessageId = messageId, Stop);
            await scope.ServiceProvider.GetRequiredService<OrderDb>().SaveChangesAsync(Stop);
        }

        await host.Bus.Publish(new Place(order), context => context.MessageId = messageId, Stop);
        await host.Journal.FirstAsync<Totalled>(totalled => totalled.OrderId == order && totalled.Total == 7);
        host.Clock.Advance(TimeSpan.FromSeconds(1));
        await host.Journal.FirstAsync<Placed>(placed => placed.OrderId == order && placed.Number == 2);
        await SentinelAsync(host);
        await host.StopAsync();

        Assert.Equal([1, 2], host.Journal.All<Placed>().Where(placed => placed.OrderId == order).Select(placed => placed.Number).Order());
        Assert.Empty(await OutboxAsync(host));
    }

    private static Uri Address()
    {
        var address = Environment.GetEnvironmentVariable(Variable) ?? "";
        Assert.SkipWhen(address.Length == 0, $"{Variable} is not set: run the tests with ops/test.sh, which starts the servers.");
        return new Uri(address);
    }
}
