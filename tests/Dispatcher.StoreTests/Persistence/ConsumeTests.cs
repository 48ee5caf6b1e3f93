using MassTransit;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>A message is consumed once: its changes and messages are committed together, or not at all.</summary>
public abstract class ConsumeTests(StoreKind kind) : PersistenceTest(kind)
{
    [Fact]
    public async Task Messages_of_a_consumer_arrive_once_in_order_and_leave_no_row()
    {
        var host = await StartAsync(new HostSetup { Loops = true });
        var order = Guid.CreateVersion7();
        host.Script.OnPlace = async (context, _) =>
        {
            for (var i = 0; i < 5; i++)
            {
                await context.Publish(new Placed(order, i));
            }
        };

        await host.Bus.Publish(new Place(order), Stop);
        await host.Journal.AtLeastAsync<Placed>(5, _ => true);
        await host.Journal.FirstAsync<Statement>(statement => statement.Removes);
        await SentinelAsync(host);
        await host.StopAsync();

        Assert.Equal([0, 1, 2, 3, 4], host.Journal.All<Placed>().Where(placed => placed.OrderId == order).Select(placed => placed.Number));
        Assert.Empty(await OutboxAsync(host));
    }

    [Fact]
    public async Task Consumer_that_throws_leaves_no_row_and_sends_only_its_fault()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        host.Script.OnPlace = async (context, db) =>
        {
            db.Add(new Note { Text = "placed" });
            await db.SaveChangesAsync(context.CancellationToken);
            await context.Publish(new Placed(order));
            throw new InvalidOperationException("After the publish.");
        };

        await host.Bus.Publish(new Place(order), Stop);
        await host.Journal.FirstAsync<Fault<Place>>(fault => fault.Message.OrderId == order);
        Assert.Equal((0, 0, 0), (await InboxAsync(host), (await OutboxAsync(host)).Count, await NotesAsync(host)));
        await SentinelAsync(host);

        Assert.DoesNotContain(host.Journal.All<Placed>(), placed => placed.OrderId == order);
    }

    [Fact]
    public async Task Duplicate_message_is_consumed_once()
    {
        var host = await StartAsync();
        var (order, messageId) = (Guid.CreateVersion7(), Guid.CreateVersion7());

        await host.Bus.Publish(new Place(order), context => context.MessageId = messageId, Stop);
        await host.Bus.Publish(new Place(order), context => context.MessageId = messageId, Stop);
        await SentinelAsync(host);

        Assert.Single(host.Journal.All<Place>(), place => place.OrderId == order);
        Assert.Single(host.Journal.All<Placed>(), placed => placed.OrderId == order);
        Assert.Empty(host.Journal.All<Fault<Place>>());
    }

    [Fact]
    public async Task Concurrent_duplicates_are_consumed_once()
    {
        var host = await StartAsync(new HostSetup { Concurrency = 4 });
        var (order, messageId) = (Guid.CreateVersion7(), Guid.CreateVersion7());

        await Task.WhenAll(
            Enumerable.Range(0, 4).Select(_ => host.Bus.Publish(new Place(order), context => context.MessageId = messageId, Stop))
        );
        await host.Journal.FirstAsync<Placed>(placed => placed.OrderId == order);
        await host.Get<IBusControl>().StopAsync(Stop);

        Assert.Single(host.Journal.All<Place>());
    }

    [Fact]
    public async Task Message_with_one_publish_costs_at_most_four_statements_and_one_commit()
    {
        var host = await StartAsync(new HostSetup { Loops = true });
        await SentinelAsync(host);
        await host.Journal.FirstAsync<Statement>(statement => statement.Removes);
        var before = host.Journal.All<Statement>().Count;
        host.Commit.Clear();

        await SentinelAsync(host);
        await host.Journal.AtLeastAsync<Statement>(2, statement => statement.Removes);

        var statements = host.Journal.All<Statement>().Skip(before).Select(statement => statement.Text).ToList();
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join("\n\n", statements));
        Assert.Equal(3, statements.Count);
        Assert.Equal((1, 0), (host.Commit.Commits, host.Commit.Savepoints));
    }

    [Fact]
    public async Task Delivery_loop_sends_after_a_crash_between_commit_and_send_and_the_second_delivery_is_dropped()
    {
        var host = await StartAsync();
        var (order, messageId) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        host.Commit.FailAfter(1);
        await host.Bus.Publish(new Place(order), context => context.MessageId = messageId, Stop);
        await host.Journal.FirstAsync<Fault<Place>>(fault => fault.Message.OrderId == order);

        await host.Bus.Publish(new Place(order), context => context.MessageId = messageId, Stop);
        await SentinelAsync(host);
        await host.Delivery.OnceAsync(Stop);
        Assert.DoesNotContain(host.Journal.All<Placed>(), placed => placed.OrderId == order);
        host.Clock.Advance(TimeSpan.FromSeconds(21));
        await host.Delivery.OnceAsync(Stop);

        await host.Journal.FirstAsync<Placed>(placed => placed.OrderId == order);
        Assert.Single(host.Journal.All<Place>(), place => place.OrderId == order);
    }

    [Fact]
    public async Task Failed_commit_is_retried_and_its_messages_are_not_sent()
    {
        var host = await StartAsync(new HostSetup { Retries = 1 });
        host.Commit.FailBefore(1);
        var number = 0;
        host.Script.OnPlace = (context, _) => context.Publish(new Placed(context.Message.OrderId, ++number));

        await host.Bus.Publish(new Place(Guid.CreateVersion7()), Stop);
        await host.Journal.FirstAsync<Placed>(_ => true);
        await SentinelAsync(host);

        Assert.Equal(2, host.Journal.All<Placed>()[0].Number);
        Assert.Equal(2, host.Journal.All<Placed>().Count);
        Assert.Empty(host.Journal.All<Fault<Place>>());
    }

    [Fact]
    public async Task Commit_that_always_fails_publishes_one_typed_fault_and_sends_nothing()
    {
        var host = await StartAsync(new HostSetup { Retries = 2 });
        host.Commit.FailBefore(3);

        await host.Bus.Publish(new Place(Guid.CreateVersion7()), Stop);
        var faults = await host.Journal.FirstAsync<Fault<Place>>(_ => true);
        await SentinelAsync(host);

        Assert.Contains("The commit failed", faults[0].Exceptions[0].Message, StringComparison.Ordinal);
        Assert.Single(host.Journal.All<Fault<Place>>());
        Assert.Single(host.Journal.All<Placed>());
    }

    [Fact]
    public async Task Late_send_that_is_not_awaited_throws_and_is_logged_as_an_error()
    {
        var host = await StartAsync();
        var (consumed, late) = (new TaskCompletionSource(), new TaskCompletionSource<Task>());
        host.Script.OnPlace = (context, _) =>
        {
            late.SetResult(SendLateAsync(context));
            return context.Publish(new Placed(context.Message.OrderId));
        };

        await host.Bus.Publish(new Place(Guid.CreateVersion7()), Stop);
        await host.Journal.FirstAsync<Placed>(_ => true);
        consumed.SetResult();

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await await late.Task);
        var line = Assert.Single(host.Journal.All<LogLine>(), line => line.Level == LogLevel.Error);
        Assert.Contains(typeof(Placed).FullName!, line.Text, StringComparison.Ordinal);

        async Task SendLateAsync(ConsumeContext context)
        {
            await consumed.Task;
            await context.Publish(new Placed(Guid.Empty));
        }
    }

    [Fact]
    public async Task Send_that_fails_after_the_commit_does_not_fail_the_message()
    {
        var host = await StartAsync(new HostSetup { Retries = 1 });
        host.Sending.Refuse<Placed>();

        await host.Bus.Publish(new Place(Guid.CreateVersion7()), Stop);
        await host.Journal.FirstAsync<LogLine>(line => line.EventId == 7002);
        host.Sending.OnSend = _ => Task.CompletedTask;
        await SentinelAsync(host);

        Assert.Equal(2, host.Journal.All<Place>().Count);
        Assert.Empty(host.Journal.All<Fault<Place>>());
        Assert.Equal(1, (await OutboxAsync(host))[0].Attempts);
    }
}

public sealed class ConsumeOnPostgresTests() : ConsumeTests(StoreKind.Postgres);

public sealed class ConsumeOnSqliteTests() : ConsumeTests(StoreKind.Sqlite);
