using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>Sagas on the bus, behind inbox and outbox.</summary>
public abstract class SagaTests(StoreKind kind) : PersistenceTest(kind)
{
    [Fact]
    public async Task Saga_its_messages_and_the_rows_of_its_activity_are_one_commit()
    {
        var host = await StartAsync(new HostSetup { Loops = true });
        var order = Guid.CreateVersion7();
        host.Script.OnAdd = (_, db) =>
        {
            db.Add(new Note { Text = "tracked" });
            return Task.CompletedTask;
        };
        await host.Bus.Publish(new AddAmount(order, 1), Stop);
        await host.Journal.FirstAsync<Statement>(statement => statement.Removes);
        host.Script.OnAdd = (_, _) => Task.CompletedTask;
        var before = host.Journal.All<Statement>().Count;
        host.Commit.Clear();

        await host.Bus.Publish(new AddAmount(order, 2), Stop);
        await host.Journal.FirstAsync<Totalled>(totalled => totalled.Total == 3);
        await host.Journal.AtLeastAsync<Statement>(2, statement => statement.Removes);

        var statements = host.Journal.All<Statement>().Skip(before).Select(statement => statement.Text).ToList();
        TestContext.Current.TestOutputHelper?.WriteLine(string.Join("\n\n", statements));

        // Claim, load, flush, removal; EF Core sends a flush to SQLite row by row.
        Assert.Equal(Kind == StoreKind.Postgres ? 4 : 5, statements.Count);
        Assert.Equal((1, 0), (host.Commit.Commits, host.Commit.Savepoints));
        Assert.Equal(1, await NotesAsync(host));
    }

    [Fact]
    public async Task One_of_concurrent_first_events_creates_the_saga_and_the_others_find_it()
    {
        var host = await StartAsync(new HostSetup { Concurrency = 4, Retries = 4 });
        var order = Guid.CreateVersion7();
        var begun = new Barrier(Kind == StoreKind.Postgres ? 4 : 1);
        var left = 4;
        host.Script.OnAdd = (_, _) =>
        {
            // The first attempt of each has found no row at this point. SQLite has one transaction at a time.
            if (Interlocked.Decrement(ref left) >= 0)
            {
                return Task.Run(() => begun.SignalAndWait(TimeSpan.FromSeconds(10), Stop), Stop);
            }

            return Task.CompletedTask;
        };

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => host.Bus.Publish(new AddAmount(order, 1), Stop)));
        await host.Journal.FirstAsync<Totalled>(totalled => totalled.Total == 4);

        Assert.Equal([1, 2, 3, 4], host.Journal.All<Totalled>().Select(totalled => totalled.Total).Order());
        Assert.Equal(
            4,
            await host.ReadAsync(db => db.Orders.Where(saga => saga.CorrelationId == order).Select(saga => saga.Total).SingleAsync(Stop))
        );
    }

    [Fact]
    public async Task Duplicate_event_moves_the_saga_once()
    {
        var host = await StartAsync();
        var (order, messageId) = (Guid.CreateVersion7(), Guid.CreateVersion7());

        await host.Bus.Publish(new AddAmount(order, 1), context => context.MessageId = messageId, Stop);
        await host.Bus.Publish(new AddAmount(order, 1), context => context.MessageId = messageId, Stop);
        await host.Bus.Publish(new AddAmount(order, 10), Stop);
        await host.Journal.FirstAsync<Totalled>(totalled => totalled.Total > 1);

        Assert.Equal([1, 11], host.Journal.All<Totalled>().Select(totalled => totalled.Total));
    }
}

public sealed class SagaOnPostgresTests() : SagaTests(StoreKind.Postgres);

public sealed class SagaOnSqliteTests() : SagaTests(StoreKind.Sqlite);
