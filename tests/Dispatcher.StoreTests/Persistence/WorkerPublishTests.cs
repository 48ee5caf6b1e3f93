using Dispatcher.Worker.Effects;
using MassTransit;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Logging.Abstractions;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>A handler of a worker that publishes through the outbox, as the README shows: the messages are part of its effect.</summary>
public abstract class WorkerPublishTests(StoreKind kind) : PersistenceTest(kind)
{
    [Fact]
    public async Task Publish_of_an_effect_is_sent_once_and_only_if_the_effect_is_committed()
    {
        var host = await StartAsync();
        using var effects = PoolEffectStore.Open(DatabaseAddress, TimeProvider.System, NullLogger.Instance);
        await effects.CreateSchemaAsync(Stop);
        var job = Guid.CreateVersion7();

        await Assert.ThrowsAsync<IOException>(() =>
            PublishAsync(host, Attempt(effects, job, 1), "placed", new IOException("It dies before the commit."))
        );
        Assert.Empty(await OutboxAsync(host));
        await PublishAsync(host, Attempt(effects, job, 2), "placed");
        await PublishAsync(host, Attempt(effects, job, 3), "placed");
        await Assert.ThrowsAsync<FencedException>(() => PublishAsync(host, Attempt(effects, job, 1), "another"));

        Assert.Single(await OutboxAsync(host));
        Assert.Equal(1, await NotesAsync(host));
    }

    [Fact]
    public async Task One_context_serves_several_effects_and_a_retry()
    {
        var host = await StartAsync();
        using var effects = PoolEffectStore.Open(DatabaseAddress, TimeProvider.System, NullLogger.Instance);
        await effects.CreateSchemaAsync(Stop);
        var run = Attempt(effects, Guid.CreateVersion7(), 1);
        await using var scope = host.Scope();

        await PublishAsync(scope, run, "placed");
        await Assert.ThrowsAsync<IOException>(() => PublishAsync(scope, run, "paid", new IOException("It dies before the commit.")));
        await PublishAsync(scope, run, "paid");

        Assert.Equal(2, (await OutboxAsync(host)).Count);
        Assert.Equal(2, await NotesAsync(host));
    }

    private static RunEffects Attempt(PoolEffectStore store, Guid job, int attempt) =>
        new(store, new EffectOwner(job, attempt, Guid.CreateVersion7()), true, () => true);

    private static async Task PublishAsync(OrderHost host, RunEffects effects, string key, Exception? dies = null)
    {
        await using var scope = host.Scope();
        await PublishAsync(scope, effects, key, dies);
    }

    /// <summary>Publishes like a handler: context and endpoint come from the scope of its run.</summary>
    private static async Task PublishAsync(AsyncServiceScope scope, RunEffects effects, string key, Exception? dies = null)
    {
        var db = scope.ServiceProvider.GetRequiredService<OrderDb>();
        var publish = scope.ServiceProvider.GetRequiredService<IPublishEndpoint>();
        await effects.OnceAsync(
            key,
            async (connection, transaction, token) =>
            {
                db.ChangeTracker.Clear();
                await db.Database.UseTransactionAsync(null, token);
                db.Database.SetDbConnection(connection);
                await db.Database.UseTransactionAsync(transaction, token);
                db.Notes.Add(new Note { Text = key });
                await publish.Publish(new Placed(Guid.CreateVersion7()), token);
                await db.SaveChangesAsync(token);
                return dies is null ? true : throw dies;
            },
            Stop
        );
    }
}

public sealed class WorkerPublishOnPostgresTests() : WorkerPublishTests(StoreKind.Postgres);

public sealed class WorkerPublishOnSqliteTests() : WorkerPublishTests(StoreKind.Sqlite);
