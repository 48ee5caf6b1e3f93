using Dispatcher.Approvals;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.Contracts;
using Dispatcher.Dispatching;
using Dispatcher.Embedded;
using Dispatcher.Enforcement;
using Dispatcher.Intake;
using Dispatcher.Outbox;
using Dispatcher.Recovery;
using Dispatcher.Storage;
using MassTransit;

namespace Dispatcher.Hosting;

/// <summary>Registers MassTransit and the transport of the relay: on RabbitMQ, or in memory. Consumers and filters are the same.</summary>
internal static class MessagingRegistration
{
    /// <summary>A few batches of the group commit.</summary>
    private const int IntakePrefetch = 500;

    /// <summary>The queue may hold thousands of messages after a binding was lost.</summary>
    private const int UnroutedPrefetch = 64;

    /// <summary>Each message carries up to 256 jobs.</summary>
    private const int PackedPrefetch = 8;

    /// <summary>The queues that receive from clients, each with its consumer.</summary>
    private static readonly (
        string Queue,
        int Prefetch,
        Action<IReceiveEndpointConfigurator, IRegistrationContext, int> Consume
    )[] Sources =
    [
        (QueueNames.Intake, IntakePrefetch, Intake),
        (QueueNames.Outcomes, PackedPrefetch, Outcomes),
        (QueueNames.ApprovalWatch, PackedPrefetch, Watch),
    ];

    public static void AddTopology(this IServiceCollection services, ServerSettings settings)
    {
        if (settings.IsEmbedded)
        {
            services.AddSingleton(new EventStream(isConnected: true));
            services.AddSingleton<InMemoryOutbox>();
            services.AddSingleton<IOutboxTransport>(provider => provider.GetRequiredService<InMemoryOutbox>());
            return;
        }

        var address = new Uri(settings.RabbitMq!);
        services.AddSingleton(new RabbitConnection(address, "dispatcher"));
        services.AddSingleton<IOutboxTransport>(provider => new RabbitOutbox(
            provider.GetRequiredService<RabbitConnection>(),
            new RabbitConnection(address, "dispatcher replies"),
            provider.GetRequiredService<StoreClock>()
        ));
        services.AddKeyedSingleton(RabbitTopology.Connection, (_, _) => new RabbitConnection(address, RabbitTopology.ConnectionName));
        services.AddSingleton(provider => new RabbitTopology(
            provider.GetRequiredKeyedService<RabbitConnection>(RabbitTopology.Connection),
            () => provider.GetRequiredService<CurrentBundle>().InForce.Bundle?.Pools.Keys ?? [],
            provider.GetRequiredService<DispatcherMetrics>(),
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<RabbitTopology>>()
        ));
        services.AddHostedService(provider => provider.GetRequiredService<RabbitTopology>());
        services.AddSingleton(new EventStream(isConnected: false));
        services.AddHostedService(provider => ActivatorUtilities.CreateInstance<RabbitEvents>(provider, address));
        services.AddSingleton<BrokerLimit>();
        services.AddHostedService(provider => provider.GetRequiredService<BrokerLimit>());
    }

    public static void AddMessaging(this IServiceCollection services, ServerSettings settings)
    {
        services.AddSingleton<IntakePolicyFilter>();
        services.AddSingleton<DispatchPolicyFilter>();
        services.AddSingleton<StoreRetry>();
        services.AddSingleton<LastResort>();
        services.AddSingleton<PoisonLetters>();
        if (!settings.IsEmbedded)
        {
            AddOfBroker(services);
        }

        services.AddOptions<MassTransitHostOptions>().Configure(host => host.WaitUntilStarted = true);
        services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<DispatchConsumer>();
            if (settings.IsEmbedded)
            {
                bus.UsingInMemory(
                    (context, memory) =>
                    {
                        memory.ReceiveEndpoint(QueueNames.Dispatch, endpoint => Dispatch(endpoint, context));
                        foreach (var pool in EmbeddedWorker.Pools(settings))
                        {
                            memory.ReceiveEndpoint(Queues.Work(pool), endpoint => Work(endpoint, context, pool));
                        }
                    }
                );
                return;
            }

            AddSources(bus);
            bus.UsingRabbitMq(
                (context, rabbit) =>
                {
                    var endpoint = Connect(rabbit, context, settings, "bus");
                    foreach (var (queue, prefetch, consume) in Sources)
                    {
                        endpoint(queue, source => consume(source, context, prefetch));
                    }

                    endpoint(QueueNames.Dispatch, dispatch => Dispatch(dispatch, context));
                }
            );
        });
        if (!settings.IsEmbedded)
        {
            AddSetAside(services, settings);
        }
    }

    private static void AddOfBroker(IServiceCollection services)
    {
        services.AddSingleton<TopologyCheck>();
        services.AddSingleton<NewerMessages>();
        services.AddSingleton<StorePause>();
        services.AddHostedService(provider => provider.GetRequiredService<StorePause>());
        services.AddSingleton<UnroutedMessages>();
        services.AddHostedService(provider => provider.GetRequiredService<UnroutedMessages>());
        services.AddHostedService<UndeliveredCopies>();
    }

    private static void AddSources(IBusRegistrationConfigurator bus)
    {
        bus.AddConsumer<IntakeConsumer>();
        bus.AddConsumer<OutcomeConsumer>();
        bus.AddConsumer<ForgedApprovalConsumer>();
    }

    /// <summary>
    /// The two queues of each source to which the broker moves its messages, on a separate connection. The queue of a message decides how
    /// it is handled; the content of the message does not.
    /// </summary>
    private static void AddSetAside(IServiceCollection services, ServerSettings settings) =>
        services.AddMassTransit<ParkedBus, ParkedBus.Instance>(bus =>
        {
            bus.DisableUsageTelemetry();
            AddSources(bus);
            bus.UsingRabbitMq(
                (context, rabbit) =>
                {
                    var endpoint = Connect(rabbit, context, settings, "set-aside");
                    foreach (var (queue, _, consume) in Sources)
                    {
                        endpoint(
                            QueueNames.Parked(queue),
                            parked =>
                            {
                                parked.UseFilterBeforeConsumers(ActivatorUtilities.CreateInstance<ParkedLog>(context, queue));
                                consume(parked, context, 1);
                            }
                        );
                        endpoint(
                            QueueNames.Poison(queue),
                            poison =>
                            {
                                Common(poison, context, prefetch: 1);
                                poison.Handler<RawMessage>(message =>
                                    context.GetRequiredService<PoisonLetters>().KeepAsync(queue, message)
                                );
                            }
                        );
                    }

                    endpoint(
                        QueueNames.Unrouted,
                        unrouted =>
                        {
                            Common(unrouted, context, UnroutedPrefetch);
                            unrouted.UseFilterBeforeConsumers(context.GetRequiredService<UnroutedMessages>());
                            Submissions(unrouted, context);
                        }
                    );
                }
            );
        });

    /// <summary>Configures the connection of a bus. The returned action adds an endpoint to it.</summary>
    private static Action<string, Action<IReceiveEndpointConfigurator>> Connect(
        IRabbitMqBusFactoryConfigurator rabbit,
        IRegistrationContext context,
        ServerSettings settings,
        string bus
    )
    {
        var broker = new Uri(settings.RabbitMq!);
        var bytes = new InboundBytes(context.GetRequiredService<TimeProvider>(), broker);
        var watch = new ConnectionMonitor(
            bus,
            context.GetRequiredService<DispatcherMetrics>(),
            context.GetRequiredService<ILogger<ConnectionMonitor>>()
        );
        rabbit.Host(
            broker,
            host =>
            {
                host.ConnectionName("dispatcher " + bus);
                host.MaxMessageSize(RabbitConnection.MaxMessage);
                host.OnRefreshConnectionFactory = bytes.UseFor;
            }
        );
        return (queue, configure) =>
            rabbit.ReceiveEndpoint(
                queue,
                endpoint =>
                {
                    // The queue already exists with exactly these arguments. MassTransit declares an exchange of the same name, through
                    // which another queue sets its messages aside.
                    endpoint.ConfigureConsumeTopology = false;
                    foreach (var (name, value) in QueueNames.Arguments(queue))
                    {
                        endpoint.SetQueueArgument(name, value);
                    }

                    endpoint.ConfigureChannel(pipe =>
                    {
                        pipe.UseFilter(watch);
                        pipe.UseFilter(context.GetRequiredService<StorePause>());
                        pipe.UseFilter(context.GetRequiredService<TopologyCheck>());
                    });
                    endpoint.ConfigureReceive(pipe => pipe.UseFilter(bytes));
                    configure(endpoint);
                }
            );
    }

    private static void Intake(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        Common(endpoint, context, prefetch);
        Submissions(endpoint, context);
    }

    /// <summary>The consumer gets a submission only from the policy filter: the filter makes its message.</summary>
    private static void Submissions(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        endpoint.UseFilterBeforeConsumers(context.GetRequiredService<IntakePolicyFilter>());
        endpoint.ConfigureConsumer<IntakeConsumer>(context);
    }

    /// <summary>The consumer gets jobs only from the policy filter: the filter makes its message.</summary>
    private static void Dispatch(IReceiveEndpointConfigurator endpoint, IRegistrationContext context)
    {
        Common(endpoint, context, PackedPrefetch);
        endpoint.UseFilterBeforeConsumers(context.GetRequiredService<DispatchPolicyFilter>());
        endpoint.ConfigureConsumer<DispatchConsumer>(context);
    }

    private static void Outcomes(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        Common(endpoint, context, prefetch);
        endpoint.ConfigureConsumer<OutcomeConsumer>(context);
    }

    private static void Watch(IReceiveEndpointConfigurator endpoint, IRegistrationContext context, int prefetch)
    {
        Common(endpoint, context, prefetch);
        endpoint.ConfigureConsumer<ForgedApprovalConsumer>(context);
    }

    /// <summary>The worker acknowledges a delivery after its claim, so this many may wait.</summary>
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
        endpoint.UseFilterBeforeConsumers(context.GetRequiredService<StoreRetry>());
        endpoint.ConfigureError(pipe => pipe.UseFilter(context.GetRequiredService<LastResort>()));
    }
}
