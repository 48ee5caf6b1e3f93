using Dispatcher.Persistence.Consuming;
using Dispatcher.Persistence.Sending;
using Dispatcher.Persistence.Settings;
using MassTransit;
using MassTransit.Configuration;
using MassTransit.DependencyInjection;
using MassTransit.Middleware;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Dispatcher.Persistence;

/// <summary>Registers the inbox and outbox for a bus and its endpoints.</summary>
public static class OutboxRegistration
{
    /// <summary>
    /// Registers the outbox in <typeparamref name="TDbContext"/>, and the loops that send due messages and remove old inbox rows. Register
    /// the context with <c>AddDbContext</c> or a similar method, without a retrying execution strategy: the bus retries, and each attempt
    /// has a new context.
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
    /// Makes <c>IPublishEndpoint</c>, <c>ISendEndpointProvider</c> and <c>IMessageScheduler</c> of every scope outside a consumer write to
    /// the scope's <typeparamref name="TDbContext"/>. A message is sent after the context is saved and its transaction committed; if that
    /// does not happen, it is not sent. <c>IBus</c> still sends at once. Requires <see cref="AddOutbox{TDbContext}"/>. A bus can have one
    /// such context.
    /// </summary>
    public static void AddBusOutbox<TDbContext>(this IBusRegistrationConfigurator bus)
        where TDbContext : DbContext => bus.ReplaceScoped<IScopedBusContextProvider<IBus>, CapturingBusContextProvider<TDbContext>>();

    /// <summary>
    /// Adds inbox and outbox to every consumer, saga and activity of the endpoint that is configured after this call. Call
    /// <c>UseMessageRetry</c> first, so that each attempt has its own scope, context and transaction. Consumers of <c>Batch&lt;T&gt;</c>
    /// are not supported.
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
