using Dispatcher.Persistence.Sagas;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.Saga;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.Persistence;

/// <summary>Registers sagas that are stored in a <c>DbContext</c>.</summary>
public static class SagaRegistration
{
    /// <summary>
    /// Stores the saga in <typeparamref name="TDbContext"/>. The model of the context must have it as an entity with the key
    /// <c>CorrelationId</c>. The instance of a message is locked from load to commit. If the endpoint has
    /// <see cref="OutboxRegistration.UseOutbox{TDbContext}"/>, the saga shares that transaction; otherwise, and in the mediator, it has a
    /// separate one. Each change increments the version of a saga that is an <c>ISagaVersion</c>.
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
