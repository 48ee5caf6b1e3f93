using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Embedding;
using Dispatcher.Health;
using Dispatcher.Hosting;
using Dispatcher.Intake;
using Dispatcher.Recovering;
using Dispatcher.Relaying;
using Dispatcher.Topology;
using MassTransit;

namespace Dispatcher.Messaging;

/// <summary>Puts MassTransit and the relay's transport into the container: on RabbitMQ, or in memory. The consumers and filters are the same.</summary>
internal static class MessagingRegistration
{
    /// <summary>As many as the group commit can hold in a few batches.</summary>
    private const int IntakePrefetch = 500;

    /// <summary>Each carries up to 256 jobs.</summary>
    private const int PackedPrefetch = 8;

    public static void AddTopology(this IServiceCollection services, ServerSettings settings)
    {
        if (settings.IsEmbedded)
        {
            services.AddSingleton<IPoolQueues, InMemoryPools>();
            services.AddSingleton<InMemoryOutbox>();
            services.AddSingleton<IOutboxTransport>(provider => provider.GetRequiredService<InMemoryOutbox>());
            return;
        }

        services.AddSingleton(new RabbitConnection(new Uri(settings.RabbitMq!), "dispatcher"));
        services.AddSingleton<IOutboxTransport, RabbitOutbox>();
        services.AddSingleton<RabbitTopology>();
        services.AddSingleton<IPoolQueues>(provider => provider.GetRequiredService<RabbitTopology>());
        services.AddHostedService(provider => provider.GetRequiredService<RabbitTopology>());
        services.AddSingleton<BrokerLimit>();
        services.AddHostedService(provider => provider.GetRequiredService<BrokerLimit>());
    }

    public static void AddMessaging(this IServiceCollection services, ServerSettings settings)
    {
        services.AddSingleton<IntakePolicyFilter>();
        services.AddSingleton<DispatchPolicyFilter>();
        services.AddSingleton<StoreWait>();
        services.AddSingleton<LastResort>();
        services.AddOptions<MassTransitHostOptions>().Configure(host => host.WaitUntilStarted = true);
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<DispatchConsumer>();
            if (settings.IsEmbedded)
            {
                bus.UsingInMemory((context, memory) =>
                {
                    memory.ReceiveEndpoint(QueueNames.Dispatch, endpoint => Dispatch(endpoint, context));
                    foreach (var pool in EmbeddedWorker.Pools(settings))
                    {
                        memory.ReceiveEndpoint(Queues.Work(pool), endpoint => Work(endpoint, context, pool));
                    }
                });
                return;
            }

            bus.AddConsumer<IntakeConsumer>();
            bus.AddConsumer<OutcomeConsumer>();
            bus.AddConsumer<ApprovalWatch>();
            bus.UsingRabbitMq((context, rabbit) =>
            {
                var endpoint = Connect(rabbit, context, settings, "bus");
                endpoint(QueueNames.Intake, intake => Intake(intake, context));
                endpoint(QueueNames.Dispatch, dispatch => Dispatch(dispatch, context));
                endpoint(Queues.Outcomes, outcomes => Outcomes(outcomes, context));
                endpoint(QueueNames.ApprovalWatch, watch => Watch(watch, context));
            });
        });
        if (!settings.IsEmbedded)
        {
            AddSetAside(services, settings);
        }
    }

    private static void AddSetAside(IServiceCollection services, ServerSettings settings) => services.AddMassTransit<SetAsideBus, SetAsideBus.Instance>(bus =>
    {
        bus.DisableUsageTelemetry();
        bus.AddConsumer<ParkedConsumer>();
        bus.AddConsumer<PoisonConsumer>();
        bus.UsingRabbitMq((context, rabbit) =>
        {
            var endpoint = Connect(rabbit, context, settings, "set-aside");
            endpoint(QueueNames.Parked, parked => Alone<ParkedConsumer>(parked, context));
            endpoint(QueueNames.Poison, poison => Alone<PoisonConsumer>(poison, context));
        });
    });

    /// <summary>Sets up the one connection of a bus; the result adds an endpoint to it.</summary>
    private static Action<string, Action<IReceiveEndpointConfigurator>> Connect(IRabbitMqBusFactoryConfigurator rabbit, IRegistrationContext context, ServerSettings settings, string bus)
    {
        var bytes = new InboundBytes(context.GetRequiredService<TimeProvider>());
        var watch = new ConnectionWatch(bus, context.GetRequiredService<DispatcherMetrics>(), context.GetRequiredService<ILogger<ConnectionWatch>>());
        rabbit.Host(new Uri(settings.RabbitMq!), host =>
        {
            host.ConnectionName("dispatcher " + bus);
            host.MaxMessageSize(RabbitConnection.LargestMessage);
            host.OnRefreshConnectionFactory = bytes.UseFor;
        });
        return (queue, configure) => rabbit.ReceiveEndpoint(queue, endpoint =>
        {
            // The queue is there already, with just these arguments; MassTransit adds an exchange of the same name, which nobody uses.
            endpoint.ConfigureConsumeTopology = false;
            foreach (var (name, value) in QueueNames.Arguments(queue))
            {
                endpoint.SetQueueArgument(name, value);
            }

            endpoint.ConfigureConnection(pipe => pipe.UseFilter(watch));
            endpoint.ConfigureReceive(pipe => pipe.UseFilter(bytes));
            configure(endpoint);
        });
    }

    private static void Intake(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        Common(endpoint, context, IntakePrefetch);
        endpoint.ConfigureConsumer<IntakeConsumer>(context, consumer => consumer.Message<RawMessage>(message => message.UseFilter(context.GetRequiredService<IntakePolicyFilter>())));
    }

    private static void Dispatch(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        Common(endpoint, context, PackedPrefetch);
        endpoint.ConfigureConsumer<DispatchConsumer>(context, consumer => consumer.Message<RawMessage>(message => message.UseFilter(context.GetRequiredService<DispatchPolicyFilter>())));
    }

    private static void Outcomes(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        Common(endpoint, context, PackedPrefetch);
        endpoint.ConfigureConsumer<OutcomeConsumer>(context);
    }

    private static void Watch(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        Common(endpoint, context, PackedPrefetch);
        endpoint.ConfigureConsumer<ApprovalWatch>(context);
    }

    private static void Alone<TConsumer>(IReceiveEndpointConfigurator endpoint, IRegistrationContext context) where TConsumer : class, IConsumer
    {
        Common(endpoint, context, prefetch: 1);
        endpoint.ConfigureConsumer<TConsumer>(context);
    }

    /// <summary>As many as the worker can have waiting: it answers a delivery when it has claimed it.</summary>
    private static void Work(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, string pool)
    {
        Common(endpoint, context, IntakePrefetch);
        endpoint.Handler<RawMessage>(message => context.GetRequiredService<InProcessTransport>().DeliverAsync(pool, message));
    }

    private static void Common(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        endpoint.PrefetchCount = prefetch;
        endpoint.PublishFaults = false;
        endpoint.ClearSerialization();
        endpoint.AddSerializer(new RawSerialization());
        endpoint.AddDeserializer(new RawSerialization(), isDefault: true);
        endpoint.UseFilter(context.GetRequiredService<StoreWait>());
        endpoint.ConfigureError(pipe => pipe.UseFilter(context.GetRequiredService<LastResort>()));
    }
}
