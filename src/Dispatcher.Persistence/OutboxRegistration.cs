using Dispatcher.Persistence.Consuming;
using Dispatcher.Persistence.Sending;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.DependencyInjection;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence;

/// <summary>Puts the outbox onto a bus and its endpoints.</summary>
public static class OutboxRegistration
{
    /// <summary>
    /// Registers the outbox in <typeparamref name="TDbContext"/>, and the loops that send what is due and forget what is old. The context is registered as usual, by
    /// <c>AddDbContext</c> or one of its kin, with no execution strategy that retries: the bus retries, and each attempt has a context of its own.
    /// </summary>
    /// <param name="bus">The registration of the bus.</param>
    /// <param name="configure">Null: the defaults of <see cref="OutboxOptions"/>.</param>
    public static void AddOutbox<TDbContext>(this IBusRegistrationConfigurator bus, Action<OutboxOptions>? configure = null)
        where TDbContext : DbContext
    {
        var options = bus.AddOptions<OutboxOptions>(typeof(TDbContext).Name).ValidateOnStart();
        if (configure is not null)
        {
            options.Configure(configure);
        }

        bus.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<OutboxOptions>, OutboxOptionsValidator>());
        bus.TryAddSingleton(TimeProvider.System);
        bus.TryAddSingleton<OutboxSignal<TDbContext>>();
        bus.TryAddSingleton<OutboxSender<TDbContext>>();
        bus.TryAddSingleton<OutboxRemoval<TDbContext>>();
        bus.TryAddSingleton<OutboxDelivery<TDbContext>>();
        bus.TryAddSingleton<InboxCleanup<TDbContext>>();
        bus.TryAddScoped<IOutboxContextFactory<TDbContext>, OutboxContextFactory<TDbContext>>();
        bus.AddHostedService(services => services.GetRequiredService<OutboxRemoval<TDbContext>>());
        bus.AddHostedService(services => services.GetRequiredService<OutboxDelivery<TDbContext>>());
        bus.AddHostedService(services => services.GetRequiredService<InboxCleanup<TDbContext>>());
    }

    /// <summary>
    /// Lets <c>IPublishEndpoint</c>, <c>ISendEndpointProvider</c> and <c>IMessageScheduler</c> of every scope outside of a consumer write to the scope's
    /// <typeparamref name="TDbContext"/>: what is sent leaves when the context is saved and its transaction committed, or never. <c>IBus</c> still sends at once.
    /// Needs <see cref="AddOutbox{TDbContext}"/>; for one context of a bus.
    /// </summary>
    public static void AddBusOutbox<TDbContext>(this IBusRegistrationConfigurator bus)
        where TDbContext : DbContext => bus.ReplaceScoped<IScopedBusContextProvider<IBus>, CapturingBusContextProvider<TDbContext>>();

    /// <summary>
    /// Puts inbox and outbox around every consumer, saga and activity of the endpoint that is configured after this. Call <c>UseMessageRetry</c> before: then each
    /// attempt has its own scope, context and transaction. Not for consumers of <c>Batch&lt;T&gt;</c>.
    /// </summary>
    public static void UseOutbox<TDbContext>(this IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
        where TDbContext : DbContext
    {
        var observer = new OutboxConsumePipeSpecificationObserver<TDbContext>(endpoint, context);
        endpoint.ConnectConsumerConfigurationObserver(observer);
        endpoint.ConnectSagaConfigurationObserver(observer);
        endpoint.ConnectActivityConfigurationObserver(observer);
    }
}
