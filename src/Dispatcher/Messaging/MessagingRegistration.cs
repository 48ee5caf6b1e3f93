using Dispatcher.Approvals;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Embedding;
using Dispatcher.Events;
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
            services.AddSingleton(new EventStream(isConnected: true));
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
        services.AddSingleton(new EventStream(isConnected: false));
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<RabbitEvents>(provider, new Uri(settings.RabbitMq!)));
    }

    public static void AddMessaging(this IServiceCollection services, ServerSettings settings)
    {
        services.AddSingleton<IntakePolicyFilter>();
        services.AddSingleton<DispatchPolicyFilter>();
        services.AddSingleton<StoreWait>();
        services.AddSingleton<LastResort>();
        services.AddSingleton<PoisonLetters>();
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
                rabbit.Host(new Uri(settings.RabbitMq!), host => host.ConnectionName("dispatcher bus"));
                Source(rabbit, context, QueueNames.Intake, IntakePrefetch, Intake);
                Source(rabbit, context, QueueNames.Outcomes, PackedPrefetch, Outcomes);
                Source(rabbit, context, QueueNames.ApprovalWatch, PackedPrefetch, Watch);
                Endpoint(rabbit, QueueNames.Dispatch, endpoint => Dispatch(endpoint, context));
            });
        });
    }

    /// <summary>
    /// A source, and the two queues that the broker moves its messages to. The queue from which a message is read decides how it is handled;
    /// nothing that it says does.
    /// </summary>
    private static void Source(
        IRabbitMqBusFactoryConfigurator rabbit,
        IRegistrationContext context,
        string queue,
        int prefetch,
        Action<IReceiveEndpointConfigurator, IRegistrationContext, int> consume)
    {
        Endpoint(rabbit, queue, endpoint => consume(endpoint, context, prefetch));
        Endpoint(rabbit, QueueNames.Parked(queue), endpoint =>
        {
            endpoint.UseFilter(new ParkedLog(queue, context.GetRequiredService<ILogger<ParkedLog>>()));
            consume(endpoint, context, 1);
        });
        Endpoint(rabbit, QueueNames.Poison(queue), endpoint =>
        {
            Common(endpoint, context, prefetch: 1);
            endpoint.Handler<RawMessage>(message => context.GetRequiredService<PoisonLetters>().KeepAsync(queue, message));
        });
    }

    /// <summary>
    /// The queue is there already, with just these arguments. MassTransit declares an exchange of the same name: messages that another queue
    /// sets aside come through it.
    /// </summary>
    private static void Endpoint(IRabbitMqBusFactoryConfigurator rabbit, string queue, Action<IReceiveEndpointConfigurator> configure) => rabbit.ReceiveEndpoint(queue, endpoint =>
    {
        endpoint.ConfigureConsumeTopology = false;
        foreach (var (name, value) in QueueNames.Arguments(queue))
        {
            endpoint.SetQueueArgument(name, value);
        }

        configure(endpoint);
    });

    private static void Intake(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        Common(endpoint, context, prefetch);
        endpoint.ConfigureConsumer<IntakeConsumer>(context, consumer => consumer.Message<RawMessage>(message => message.UseFilter(context.GetRequiredService<IntakePolicyFilter>())));
    }

    private static void Dispatch(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        Common(endpoint, context, PackedPrefetch);
        endpoint.ConfigureConsumer<DispatchConsumer>(context, consumer => consumer.Message<RawMessage>(message => message.UseFilter(context.GetRequiredService<DispatchPolicyFilter>())));
    }

    private static void Outcomes(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        Common(endpoint, context, prefetch);
        endpoint.ConfigureConsumer<OutcomeConsumer>(context);
    }

    private static void Watch(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        Common(endpoint, context, prefetch);
        endpoint.ConfigureConsumer<ApprovalWatch>(context);
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
