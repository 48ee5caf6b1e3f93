using Dispatcher.Persistence.Tables;
using MassTransit;
using MassTransit.Middleware;
using MassTransit.Saga;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence.Sagas;

/// <summary>
/// Runs a saga in a transaction of the scope's context. This is the transaction of the outbox, if the message came through one. If not,
/// it is a transaction that is already open on the context. If there is none, it is a new one, committed before the send returns.
/// </summary>
internal sealed class SagaRepositoryContextFactory<TSaga, TDbContext>(TDbContext db, ISagaConsumeContextFactory<TDbContext, TSaga> contexts)
    : ISagaRepositoryContextFactory<TSaga>,
        IQuerySagaRepositoryContextFactory<TSaga>,
        ILoadSagaRepositoryContextFactory<TSaga>
    where TSaga : class, ISaga
    where TDbContext : DbContext
{
    public Task Send<T>(ConsumeContext<T> context, IPipe<SagaRepositoryContext<TSaga, T>> next)
        where T : class => InTransactionAsync(context, () => next.Send(new SagaRows<TSaga, TDbContext, T>(db, context, contexts)));

    public Task SendQuery<T>(ConsumeContext<T> context, ISagaQuery<TSaga> query, IPipe<SagaRepositoryQueryContext<TSaga, T>> next)
        where T : class =>
        InTransactionAsync(
            context,
            async () =>
            {
                // Only the ids: the pipe loads each instance by itself, with its lock.
                var found = await SagaReads<TSaga>.IdsAsync(db, query, context.CancellationToken);
                await next.Send(
                    new DefaultSagaRepositoryQueryContext<TSaga, T>(new SagaRows<TSaga, TDbContext, T>(db, context, contexts), found)
                );
            }
        );

    public Task<T> Execute<T>(Func<QuerySagaRepositoryContext<TSaga>, Task<T>> asyncMethod, CancellationToken cancellationToken = default)
        where T : class => asyncMethod(new SagaReads<TSaga>(db, cancellationToken));

    public Task<T> Execute<T>(Func<LoadSagaRepositoryContext<TSaga>, Task<T>> asyncMethod, CancellationToken cancellationToken = default)
        where T : class => asyncMethod(new SagaReads<TSaga>(db, cancellationToken));

    public void Probe(ProbeContext context) => context.Add("dbContext", typeof(TDbContext).Name);

    private async Task InTransactionAsync(ConsumeContext context, Func<Task> run)
    {
        if (db.BelongsToOutbox(context))
        {
            await run();
            return;
        }

        if (db.Database.CurrentTransaction is not null)
        {
            await run();
            await db.SaveChangesAsync(context.CancellationToken);
            return;
        }

        try
        {
            await using var transaction = await db.BeginAsync(context.CancellationToken);
            await run();
            await db.SaveBeforeCommitAsync(context.CancellationToken);

            // Not cancelled: a commit that is interrupted may have happened.
            await transaction.CommitAsync(CancellationToken.None);
        }
        catch
        {
            // The scope may belong to the sender, or be used by another attempt. It must not save the changes that were rolled back.
            db.ChangeTracker.Clear();
            throw;
        }
    }
}

/// <summary>Reads sagas outside a message, without a lock and without tracking.</summary>
internal sealed class SagaReads<TSaga>(DbContext db, CancellationToken cancellationToken)
    : BasePipeContext(cancellationToken),
        QuerySagaRepositoryContext<TSaga>,
        LoadSagaRepositoryContext<TSaga>
    where TSaga : class, ISaga
{
    public static Task<List<Guid>> IdsAsync(DbContext db, ISagaQuery<TSaga> query, CancellationToken cancellationToken) =>
        db.Set<TSaga>().AsNoTracking().Where(query.FilterExpression).Select(saga => saga.CorrelationId).ToListAsync(cancellationToken);

    public async Task<SagaRepositoryQueryContext<TSaga>> Query(ISagaQuery<TSaga> query, CancellationToken cancellationToken = default) =>
        new DefaultSagaRepositoryQueryContext<TSaga>(this, await IdsAsync(db, query, cancellationToken));

    public async Task<TSaga> Load(Guid correlationId) =>
        (await db.Set<TSaga>().AsNoTracking().SingleOrDefaultAsync(saga => saga.CorrelationId == correlationId, CancellationToken))!;
}
