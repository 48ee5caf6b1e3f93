using MassTransit;
using MassTransit.Mediator;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>Sagas in the in-process mediator, without inbox and outbox: the send is the transaction.</summary>
public abstract class MediatorSagaTests(StoreKind kind) : PersistenceTest(kind)
{
    [Fact]
    public async Task Saga_and_the_rows_of_its_activity_are_committed_when_Send_returns()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        host.Script.OnAdd = async (context, db) =>
        {
            db.Add(new Note { Text = "tracked" });
            await db.Database.ExecuteSqlAsync($"insert into notes (\"Text\") values ('raw')", context.CancellationToken);
            Assert.Same(db, context.GetPayload<IServiceProvider>().GetRequiredService<OrderDb>());
            Assert.NotNull(db.Database.CurrentTransaction);
        };

        await SendAsync(host, new AddAmount(order, 5));

        await using var db = NewDb();
        var saga = await db.Orders.SingleAsync(saga => saga.CorrelationId == order, Stop);
        Assert.Equal((5, "Open"), (saga.Total, saga.CurrentState));
        Assert.Equal(2, await db.Notes.CountAsync(Stop));
        Assert.Equal((1, 0), (host.Commit.Commits, host.Commit.Savepoints));
    }

    [Fact]
    public async Task Exception_in_an_activity_rolls_everything_back_and_reaches_the_sender()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        await SendAsync(host, new AddAmount(order, 5));
        host.Script.OnAdd = async (context, db) =>
        {
            db.Add(new Note { Text = "tracked" });
            await db.SaveChangesAsync(context.CancellationToken);
            await db.Database.ExecuteSqlAsync($"insert into notes (\"Text\") values ('raw')", context.CancellationToken);
            throw new InvalidOperationException("No.");
        };

        await Assert.ThrowsAsync<EventExecutionException>(() => SendAsync(host, new AddAmount(order, 1)));

        Assert.Equal(0, await NotesAsync(host));
        Assert.Equal(5, await TotalAsync(host, order));
    }

    [Fact]
    public async Task Failed_send_leaves_no_tracked_change_in_the_scope_of_the_sender()
    {
        var host = await StartAsync();
        host.Script.OnAdd = (_, db) =>
        {
            db.Add(new Note { Text = "tracked" });
            throw new InvalidOperationException("No.");
        };
        await using var scope = host.Scope();

        await Assert.ThrowsAsync<EventExecutionException>(() =>
            scope.ServiceProvider.GetRequiredService<IScopedMediator>().Send(new AddAmount(Guid.CreateVersion7(), 1), Stop)
        );
        await scope.ServiceProvider.GetRequiredService<OrderDb>().SaveChangesAsync(Stop);

        Assert.Equal(0, await NotesAsync(host));
    }

    [Fact]
    public async Task Concurrent_messages_to_one_instance_run_one_after_the_other()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        await SendAsync(host, new AddAmount(order, 1));
        var (inside, most) = (0, 0);
        host.Script.OnAdd = async (context, db) =>
        {
            most = Math.Max(most, Interlocked.Increment(ref inside));
            await db.Notes.CountAsync(context.CancellationToken);
            await Task.Yield();
            Interlocked.Decrement(ref inside);
        };

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync(host, new AddAmount(order, 1))));

        Assert.Equal(1, most);
        Assert.Equal(9, await TotalAsync(host, order));
    }

    [Fact]
    public async Task One_of_concurrent_first_messages_creates_the_saga_and_the_others_find_it()
    {
        var host = await StartAsync(new HostSetup { Retries = 8 });
        var order = Guid.CreateVersion7();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync(host, new AddAmount(order, 1))));

        Assert.Equal(8, await TotalAsync(host, order));
    }

    [Fact]
    public async Task InsertOnInitial_needs_no_retry_when_another_insert_was_faster()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SendAsync(host, new OpenOrder(order))));

        Assert.Equal(8, await TotalAsync(host, order));
    }

    [Fact]
    public async Task Event_with_a_query_changes_each_instance_that_it_finds()
    {
        var host = await StartAsync();
        var (low, alsoLow, high) = (Guid.CreateVersion7(), Guid.CreateVersion7(), Guid.CreateVersion7());
        await SendAsync(host, new AddAmount(low, 1));
        await SendAsync(host, new AddAmount(alsoLow, 2));
        await SendAsync(host, new AddAmount(high, 50));

        await SendAsync(host, new RaiseAll(Below: 10));

        Assert.Equal((101, 102, 50), (await TotalAsync(host, low), await TotalAsync(host, alsoLow), await TotalAsync(host, high)));
    }

    [Fact]
    public async Task Pooled_context_is_supported()
    {
        var host = await StartAsync(new HostSetup { Pooled = true });
        var order = Guid.CreateVersion7();

        await SendAsync(host, new AddAmount(order, 1));
        await SendAsync(host, new AddAmount(order, 1));
        await SentinelAsync(host);

        Assert.Equal(2, await TotalAsync(host, order));
    }

    [Fact]
    public async Task Version_changed_by_another_writer_restarts_the_send()
    {
        var host = await StartAsync(new HostSetup { Retries = 1 });
        var order = Guid.CreateVersion7();
        await SendAsync(host, new AddAmount(order, 1));
        var tries = 0;
        host.Script.OnAdd = (context, db) => ++tries > 1 ? Task.CompletedTask : ChangeAsync(db, context.CancellationToken);

        await SendAsync(host, new AddAmount(order, 1));

        Assert.Equal(2, tries);
        var saga = await host.ReadAsync(db => db.Orders.SingleAsync(Stop));
        Assert.Equal((2, 1), (saga.Total, saga.Version));
    }

    [Fact]
    public async Task Version_conflict_reaches_the_sender_without_a_retry()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        await SendAsync(host, new AddAmount(order, 1));
        host.Script.OnAdd = (context, db) => ChangeAsync(db, context.CancellationToken);

        await Assert.ThrowsAnyAsync<DbUpdateConcurrencyException>(() => SendAsync(host, new AddAmount(order, 1)));

        Assert.Equal(1, await TotalAsync(host, order));
    }

    [Fact]
    public async Task Missing_instance_is_answered_by_the_state_machine()
    {
        var host = await StartAsync();

        await SendAsync(host, new PingOrder(Guid.CreateVersion7()));
        await Assert.ThrowsAnyAsync<SagaException>(() => SendAsync(host, new CloseOrder(Guid.CreateVersion7())));

        Assert.Equal(0, await host.ReadAsync(db => db.Orders.CountAsync(Stop)));
    }

    [Fact]
    public async Task Finished_saga_is_removed()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        await SendAsync(host, new AddAmount(order, 1));

        await SendAsync(host, new CloseOrder(order));

        Assert.Equal(0, await host.ReadAsync(db => db.Orders.CountAsync(Stop)));
    }

    [Fact]
    public async Task Instance_is_read_again_for_each_message_of_a_scope()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        await using var scope = host.Scope();
        var mediator = scope.ServiceProvider.GetRequiredService<IScopedMediator>();
        await mediator.Send(new AddAmount(order, 1), Stop);
        await SendAsync(host, new AddAmount(order, 10));

        await mediator.Send(new AddAmount(order, 100), Stop);

        Assert.Equal(111, await TotalAsync(host, order));
    }

    [Fact]
    public async Task Transaction_of_the_sender_is_committed_by_the_sender()
    {
        var host = await StartAsync();
        var order = Guid.CreateVersion7();
        await using (var scope = host.Scope())
        {
            await using var transaction = await scope.ServiceProvider.GetRequiredService<OrderDb>().Database.BeginTransactionAsync(Stop);
            await scope.ServiceProvider.GetRequiredService<IScopedMediator>().Send(new AddAmount(order, 1), Stop);
            await transaction.RollbackAsync(Stop);
        }

        Assert.Equal(0, await host.ReadAsync(db => db.Orders.CountAsync(Stop)));
    }

    [Fact]
    public async Task Publish_of_an_activity_is_in_the_same_commit()
    {
        var host = await StartAsync(new HostSetup { Loops = true });
        var (failed, order) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        host.Script.OnAdd = async (context, _) =>
        {
            await context
                .GetPayload<IServiceProvider>()
                .GetRequiredService<IPublishEndpoint>()
                .Publish(new Placed(context.Message.OrderId), context.CancellationToken);
            if (context.Message.OrderId == failed)
            {
                throw new InvalidOperationException("No.");
            }
        };

        await Assert.ThrowsAsync<EventExecutionException>(() => SendAsync(host, new AddAmount(failed, 1)));
        await SendAsync(host, new AddAmount(order, 1));
        await host.Journal.FirstAsync<Placed>(placed => placed.OrderId == order);
        await SentinelAsync(host);

        Assert.DoesNotContain(host.Journal.All<Placed>(), placed => placed.OrderId == failed);
    }

    /// <summary>Changes the row as a writer without the lock would, in the same transaction.</summary>
    private Task<int> ChangeAsync(OrderDb db, CancellationToken cancellationToken) =>
        db.Database.ExecuteSqlRawAsync(
            Kind == StoreKind.Postgres
                ? """update "The Shop"."Order Sagas" set "Version" = "Version" + 1, "Total" = 100"""
                : """update "Order Sagas" set "Version" = "Version" + 1, "Total" = 100""",
            cancellationToken
        );

    private static Task SendAsync<T>(OrderHost host, T message)
        where T : class => host.Get<IMediator>().Send(message, Stop);

    private static Task<int> TotalAsync(OrderHost host, Guid order) =>
        host.ReadAsync(db => db.Orders.Where(saga => saga.CorrelationId == order).Select(saga => saga.Total).SingleAsync(Stop));
}

public sealed class MediatorSagaOnPostgresTests() : MediatorSagaTests(StoreKind.Postgres);

public sealed class MediatorSagaOnSqliteTests() : MediatorSagaTests(StoreKind.Sqlite);
