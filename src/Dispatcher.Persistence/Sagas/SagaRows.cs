using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Context;
using MassTransit.Saga;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sagas;

/// <summary>
/// The saga instances that a message uses. This class does not save: the code that commits saves the sagas and the changes of activities in
/// the same context with one flush.
/// </summary>
internal sealed class SagaRows<TSaga, TDbContext, TMessage>(
    TDbContext db,
    ConsumeContext<TMessage> message,
    ISagaConsumeContextFactory<TDbContext, TSaga> contexts
) : ConsumeContextScope<TMessage>(message), SagaRepositoryContext<TSaga, TMessage>
    where TSaga : class, ISaga
    where TDbContext : DbContext
    where TMessage : class
{
    private readonly ConsumeContext<TMessage> _message = message;

    public Task<SagaConsumeContext<TSaga, TMessage>> Add(TSaga instance) =>
        CreateSagaConsumeContext(_message, instance, SagaConsumeContextMode.Add);

    /// <summary>
    /// Called only for state machines with <c>InsertOnInitial</c>. EF Core saves under a savepoint, so the transaction stays usable if
    /// another transaction inserted the instance first. Returns null in that case.
    /// </summary>
    public async Task<SagaConsumeContext<TSaga, TMessage>> Insert(TSaga instance)
    {
        var entry = db.Add(instance);
        try
        {
            await db.SaveChangesAsync(CancellationToken);
            return await CreateSagaConsumeContext(_message, instance, SagaConsumeContextMode.Insert);
        }
        catch (DbUpdateException)
        {
            // The instance exists: the pipe loads it next.
            entry.State = EntityState.Detached;
            return null!;
        }
    }

    public async Task<SagaConsumeContext<TSaga, TMessage>> Load(Guid correlationId)
    {
        var saga = await LockAsync(correlationId);
        return saga is null ? null! : await CreateSagaConsumeContext(_message, saga, SagaConsumeContextMode.Load);
    }

    public Task Save(SagaConsumeContext<TSaga> context)
    {
        db.Add(context.Saga);
        return Task.CompletedTask;
    }

    public Task Update(SagaConsumeContext<TSaga> context)
    {
        if (context.Saga is ISagaVersion versioned && db.Entry(context.Saga).State == EntityState.Modified)
        {
            versioned.Version++;
        }

        return Task.CompletedTask;
    }

    public Task Delete(SagaConsumeContext<TSaga> context)
    {
        db.Remove(context.Saga);
        return Task.CompletedTask;
    }

    /// <summary>The instance was never added: the same message created and completed it, or the message failed.</summary>
    public Task Discard(SagaConsumeContext<TSaga> context) => Task.CompletedTask;

    /// <summary>Called after a read-only event, whose changes must not be saved.</summary>
    public Task Undo(SagaConsumeContext<TSaga> context)
    {
        db.Entry(context.Saga).State = EntityState.Detached;
        return Task.CompletedTask;
    }

    public Task<SagaConsumeContext<TSaga, T>> CreateSagaConsumeContext<T>(
        ConsumeContext<T> consumeContext,
        TSaga instance,
        SagaConsumeContextMode mode
    )
        where T : class => contexts.CreateSagaConsumeContext(db, consumeContext, instance, mode);

    /// <summary>Loads the row and locks it until the commit. On SQLite the transaction is the only writer, so there is no lock.</summary>
    private async Task<TSaga?> LockAsync(Guid correlationId)
    {
        // Otherwise EF Core would return the values that an earlier message of this scope read.
        if (db.Set<TSaga>().Local.FindEntry(correlationId) is { } earlier)
        {
            earlier.State = EntityState.Detached;
        }

        if (!Table.OnPostgres(db))
        {
            return await db.Set<TSaga>().SingleOrDefaultAsync(saga => saga.CorrelationId == correlationId, CancellationToken);
        }

        var found = await db.Set<TSaga>().FromSqlRaw(LockSql(), correlationId).ToListAsync(CancellationToken);
        return found.SingleOrDefault();
    }

    private string LockSql() =>
        db.Set<TSaga>()
            .EntityType.GetOrAddRuntimeAnnotationValue(
                "Dispatcher.Persistence:Lock",
                static db =>
                {
                    var table = new Table(db!, typeof(TSaga));
                    return $"select {table.AllColumns} from {table.Name} where {table[nameof(ISaga.CorrelationId)]} = {{0}} for update";
                },
                (DbContext)db
            );
}
