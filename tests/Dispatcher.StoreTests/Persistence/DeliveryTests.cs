using Dispatcher.Persistence;
using Dispatcher.Persistence.Sending;
using Dispatcher.Persistence.Tables;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>The delivery loop sends each row of the outbox when it is due, independent of other rows, from one process at a time.</summary>
public abstract class DeliveryTests(StoreKind kind) : PersistenceTest(kind)
{
    [Fact]
    public async Task Scheduled_send_waits_in_the_table_until_it_is_due()
    {
        var host = await StartAsync();
        host.Script.OnPlace = (context, _) =>
            context.ScheduleSend(new Uri("queue:Recorder"), TimeSpan.FromMinutes(10), new Placed(context.Message.OrderId));
        var order = Guid.CreateVersion7();
        await host.Bus.Publish(new Place(order), Stop);
        await SentinelAsync(host);

        host.Clock.Advance(TimeSpan.FromMinutes(9));
        await host.Delivery.OnceAsync(Stop);
        await SentinelAsync(host);
        Assert.Contains(await OutboxAsync(host), row => row.NotBefore is not null);
        Assert.DoesNotContain(host.Journal.All<Placed>(), placed => placed.OrderId == order);
        host.Clock.Advance(TimeSpan.FromMinutes(1));
        await host.Delivery.OnceAsync(Stop);

        await host.Journal.FirstAsync<Placed>(placed => placed.OrderId == order);
    }

    [Fact]
    public async Task Message_that_cannot_be_sent_does_not_delay_others()
    {
        var host = await StartAsync();
        await BusPublishAsync(host, new Totalled(Guid.Empty, 1), new Placed(Guid.Empty, 2), new Totalled(Guid.Empty, 3));
        host.Sending.Refuse<Placed>();

        await host.Delivery.OnceAsync(Stop);

        Assert.Equal([1, 3], (await host.Journal.AtLeastAsync<Totalled>(2, _ => true)).Select(totalled => totalled.Total).Order());
        var row = Assert.Single(await OutboxAsync(host));
        Assert.Equal((1, "Refused."), (row.Attempts, row.LastError));
    }

    [Fact]
    public async Task Message_that_cannot_be_sent_waits_longer_each_time_and_is_parked_at_last()
    {
        var host = await StartAsync(new HostSetup { MaxAttempts = 3 });
        await BusPublishAsync(host, new Placed(Guid.Empty));
        host.Sending.Refuse<Placed>();

        await host.Delivery.OnceAsync(Stop);
        await host.Delivery.OnceAsync(Stop);
        Assert.Equal(1, (await OutboxAsync(host))[0].Attempts);
        host.Clock.Advance(TimeSpan.FromSeconds(1));
        await host.Delivery.OnceAsync(Stop);
        host.Clock.Advance(TimeSpan.FromSeconds(1));
        await host.Delivery.OnceAsync(Stop);
        Assert.Equal(2, (await OutboxAsync(host))[0].Attempts);
        host.Clock.Advance(TimeSpan.FromSeconds(1));
        await host.Delivery.OnceAsync(Stop);

        Assert.Equal((3, null), ((await OutboxAsync(host))[0].Attempts, (await OutboxAsync(host))[0].NextAt));
        Assert.Single(host.Journal.All<LogLine>(), line => line.Level == LogLevel.Error);
        host.Clock.Advance(TimeSpan.FromDays(1));
        await host.Delivery.OnceAsync(Stop);
        Assert.Equal(3, (await OutboxAsync(host))[0].Attempts);
    }

    [Fact]
    public async Task Send_that_hangs_counts_as_failed()
    {
        var host = await StartAsync(new HostSetup { SendTimeout = TimeSpan.FromMilliseconds(200) });
        await BusPublishAsync(host, new Placed(Guid.Empty));
        var never = new TaskCompletionSource();
        host.Sending.OnSend = _ => never.Task;

        await host.Delivery.OnceAsync(Stop).WaitAsync(TimeSpan.FromSeconds(20), Stop);

        Assert.Contains("Not sent within", (await OutboxAsync(host))[0].LastError, StringComparison.Ordinal);
        never.SetResult();
    }

    [Fact]
    public async Task Two_concurrent_processes_send_each_message_once()
    {
        var (one, other) = (await StartAsync(), await StartAsync());
        await BusPublishAsync(one, [.. Enumerable.Range(0, 500).Select(i => new Placed(Guid.Empty, i))]);

        await Task.WhenAll(EmptyAsync(one), EmptyAsync(one), EmptyAsync(other), EmptyAsync(other));
        await SentinelAsync(one);
        await SentinelAsync(other);

        var numbers = one
            .Journal.All<Placed>()
            .Concat(other.Journal.All<Placed>())
            .Where(placed => placed.OrderId == Guid.Empty)
            .Select(placed => placed.Number)
            .Order();
        Assert.Equal(Enumerable.Range(0, 500), numbers);

        static async Task EmptyAsync(OrderHost host)
        {
            while (await host.Delivery.OnceAsync(Stop)) { }
        }
    }

    [Fact]
    public async Task Taken_rows_belong_to_their_process_until_the_lease_ends()
    {
        var host = await StartAsync();
        await BusPublishAsync(host, new Placed(Guid.Empty));
        await host.ReadAsync(db => db.TakeDueAsync(10, host.Clock.GetUtcNow(), TimeSpan.FromSeconds(20), Stop));

        host.Clock.Advance(TimeSpan.FromSeconds(19));
        await host.Delivery.OnceAsync(Stop);
        Assert.Single(await OutboxAsync(host));
        host.Clock.Advance(TimeSpan.FromSeconds(2));
        await host.Delivery.OnceAsync(Stop);

        await host.Journal.FirstAsync<Placed>(_ => true);
    }

    [Fact]
    public async Task Row_that_another_transaction_locks_is_skipped()
    {
        Assert.SkipUnless(Kind == StoreKind.Postgres, "SQLite locks no rows.");
        var host = await StartAsync();
        await BusPublishAsync(host, new Placed(Guid.Empty, 1), new Placed(Guid.Empty, 2));
        await using var holder = NewDb();
        await using var transaction = await holder.Database.BeginTransactionAsync(Stop);
        await holder.Database.ExecuteSqlRawAsync("select * from mt_outbox order by sequence_number limit 1 for update", Stop);

        await host.Delivery.OnceAsync(Stop).WaitAsync(TimeSpan.FromSeconds(10), Stop);

        Assert.Equal(2, Assert.Single(await host.Journal.FirstAsync<Placed>(_ => true)).Number);
    }

    [Fact]
    public async Task Publish_outside_a_consumer_is_sent_on_save_and_not_before()
    {
        var host = await StartAsync(new HostSetup { Loops = true });
        await using var scope = host.Scope();
        await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(new Placed(Guid.Empty), Stop);
        await host.Delivery.OnceAsync(Stop);
        await SentinelAsync(host);
        Assert.Single(host.Journal.All<Placed>());

        await scope.ServiceProvider.GetRequiredService<OrderDb>().SaveChangesAsync(Stop);

        // The period is a minute, so only the signal of the commit can have started the loop.
        await host.Journal.FirstAsync<Placed>(placed => placed.OrderId == Guid.Empty);
    }

    [Fact]
    public async Task Publish_in_a_transaction_is_sent_after_its_commit()
    {
        var host = await StartAsync(new HostSetup { Loops = true });
        await using (var scope = host.Scope())
        {
            await using var transaction = await PublishAndSaveAsync(scope, new Placed(Guid.Empty, 1));
            await transaction.RollbackAsync(Stop);
        }

        await using (var scope = host.Scope())
        {
            await using var transaction = await PublishAndSaveAsync(scope, new Placed(Guid.Empty, 2));
            await transaction.CommitAsync(Stop);
        }

        await host.Journal.FirstAsync<Placed>(placed => placed.Number == 2);
        await SentinelAsync(host);

        Assert.DoesNotContain(host.Journal.All<Placed>(), placed => placed.Number == 1);

        static async Task<Microsoft.EntityFrameworkCore.Storage.IDbContextTransaction> PublishAndSaveAsync(
            AsyncServiceScope scope,
            Placed message
        )
        {
            var db = scope.ServiceProvider.GetRequiredService<OrderDb>();
            var transaction = await db.Database.BeginTransactionAsync(Stop);
            await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(message, Stop);
            await db.SaveChangesAsync(Stop);
            return transaction;
        }
    }

    [Fact]
    public async Task Inbox_removes_rows_older_than_its_window()
    {
        var host = await StartAsync();
        await SentinelAsync(host);
        host.Clock.Advance(TimeSpan.FromDays(1) + TimeSpan.FromMinutes(1));
        await SentinelAsync(host);
        Assert.Equal(2, await InboxAsync(host));

        await host.Cleanup.OnceAsync(Stop);

        Assert.Equal(1, await InboxAsync(host));
    }

    [Fact]
    public async Task Shipped_tables_equal_those_of_the_model()
    {
        var columns = await ReadAsync(
            Kind == StoreKind.Postgres
                ? "select table_name || '.' || column_name || ':' || is_nullable from information_schema.columns "
                    + "where table_name like 'mt\\_%' order by 1"
                : "select m.name || '.' || c.name || ':' || iif(c.\"notnull\" or c.pk, 'NO', 'YES') "
                    + "from sqlite_master m join pragma_table_info(m.name) c "
                    + "where m.type = 'table' and m.name like 'mt\\_%' escape '\\' order by 1"
        );

        await using var db = NewDb();
        var modelled =
            from entity in db.Model.GetEntityTypes()
            where entity.GetTableName()!.StartsWith("mt_", StringComparison.Ordinal)
            from property in entity.GetProperties()
            select $"{entity.GetTableName()}.{property.GetColumnName()}:{(property.IsNullable ? "YES" : "NO")}";
        Assert.Equal(modelled.Order(StringComparer.Ordinal), columns.Order(StringComparer.Ordinal));
        foreach (var index in db.Model.GetEntityTypes().SelectMany(entity => entity.GetIndexes()))
        {
            Assert.Contains(
                $"create index {index.GetDatabaseName()} on ",
                Kind == StoreKind.Postgres ? OutboxDdl.Postgres : OutboxDdl.Sqlite,
                StringComparison.Ordinal
            );
        }

        async Task<List<string>> ReadAsync(string sql)
        {
            await using var context = NewDb();
            return await context.Database.SqlQueryRaw<string>(sql).ToListAsync(Stop);
        }
    }

    private static async Task BusPublishAsync(OrderHost host, params object[] messages)
    {
        await using var scope = host.Scope();
        foreach (var message in messages)
        {
            await scope.ServiceProvider.GetRequiredService<IPublishEndpoint>().Publish(message, Stop);
        }

        await scope.ServiceProvider.GetRequiredService<OrderDb>().SaveChangesAsync(Stop);
    }
}

public sealed class DeliveryOnPostgresTests() : DeliveryTests(StoreKind.Postgres);

public sealed class DeliveryOnSqliteTests() : DeliveryTests(StoreKind.Sqlite);

/// <summary>Parts of the delivery that need no database.</summary>
public sealed class DeliveryPartsTests
{
    [Fact]
    public async Task Signal_is_kept_until_the_next_wait()
    {
        var signal = new Signal();

        signal.Set();
        signal.Set();

        await signal.WaitAsync(TestContext.Current.CancellationToken);
        var second = signal.WaitAsync(TestContext.Current.CancellationToken);
        Assert.False(second.IsCompleted);
        signal.Set();
        await second;
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(3, 4)]
    [InlineData(10, 300)]
    [InlineData(299, 300)]
    [InlineData(300, null)]
    public void Pauses_double_up_to_five_minutes_and_end(int failures, int? seconds) =>
        Assert.Equal(seconds, (int?)BackOff.After(failures, 300)?.TotalSeconds);
}
