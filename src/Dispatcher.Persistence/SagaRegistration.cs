using Dispatcher.Persistence.Sagas;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Saga;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence;

/// <summary>Keeps sagas in a DbContext.</summary>
public static class SagaRegistration
{
    /// <summary>
    /// Keeps the saga in <typeparamref name="TDbContext"/>, in whose model it is with <c>CorrelationId</c> as its key. A message's instance is locked from load to
    /// commit. With <see cref="OutboxRegistration.UseOutbox{TDbContext}"/> on the endpoint it shares that transaction; without it, on a bus or in the mediator, it has its own.
    /// A saga that is an <c>ISagaVersion</c> has its version counted up by each change.
    /// </summary>
    public static ISagaRegistrationConfigurator<TSaga> PersistedBy<TSaga, TDbContext>(this ISagaRegistrationConfigurator<TSaga> saga)
        where TSaga : class, ISaga
        where TDbContext : DbContext =>
        saga.Repository(repository =>
        {
            repository.RegisterLoadSagaRepository<TSaga, SagaRepositoryContextFactory<TSaga, TDbContext>>();
            repository.RegisterQuerySagaRepository<TSaga, SagaRepositoryContextFactory<TSaga, TDbContext>>();
            repository.RegisterSagaRepository<
                TSaga,
                TDbContext,
                SagaConsumeContextFactory<TDbContext, TSaga>,
                SagaRepositoryContextFactory<TSaga, TDbContext>
            >();
        });
}
