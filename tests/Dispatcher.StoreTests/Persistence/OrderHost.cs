using Dispatcher.Persistence;
using Dispatcher.Persistence.Consuming;
using Dispatcher.Persistence.Sending;
using MassTransit;
using Microsoft.EntityFrameworkCore;

namespace Dispatcher.StoreTests.Persistence;

/// <summary>One process that uses the library: container, bus and, if the setup has them, the loops.</summary>
internal sealed class OrderHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly List<IHostedService> _started = [];

    private OrderHost(ServiceProvider services) => _services = services;

    public Journal Journal => Get<Journal>();

    public Script Script => Get<Script>();

    public SendGate Sending => Get<SendGate>();

    public CommitControl Commit => Get<CommitControl>();

    public StandingClock Clock => (StandingClock)Get<TimeProvider>();

    public IBus Bus => Get<IBus>();

    public OutboxDelivery<OrderDb> Delivery => Get<OutboxDelivery<OrderDb>>();

    public InboxCleanup<OrderDb> Cleanup => Get<InboxCleanup<OrderDb>>();

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <param name="database">The provider and the address of the database.</param>
    /// <param name="setup">The setup of the process.</param>
    public static async Task<OrderHost> StartAsync(Action<DbContextOptionsBuilder> database, HostSetup setup)
    {
        var services = new ServiceCollection();
        services
            .AddSingleton<Journal>()
            .AddSingleton<Script>()
            .AddSingleton<SqlLog>()
            .AddSingleton<CommitControl>()
            .AddSingleton<SendGate>();
        services.AddSingleton<TimeProvider>(new StandingClock());
        services.AddSingleton<ILoggerProvider, LogLines>().AddLogging();
        if (setup.Pooled)
        {
            services.AddPooledDbContextFactory<OrderDb>(Build);
        }
        else
        {
            services.AddDbContext<OrderDb>(Build);
        }

        services.AddMassTransit(bus => Configure(bus, setup));
        services.AddMediator(mediator =>
        {
            mediator.AddSagaStateMachine<OrderMachine, Order>().PersistedBy<Order, OrderDb>();
            mediator.ConfigureMediator(
                (_, configurator) =>
                {
                    if (setup.Retries > 0)
                    {
                        configurator.UseMessageRetry(retry => retry.Immediate(setup.Retries));
                    }
                }
            );
        });
        var host = new OrderHost(services.BuildServiceProvider(validateScopes: true));
        await host.StartAsync(setup);
        return host;

        void Build(IServiceProvider provider, DbContextOptionsBuilder options)
        {
            database(options);
            options.AddInterceptors(provider.GetRequiredService<SqlLog>(), provider.GetRequiredService<CommitControl>());
        }
    }

    public T Get<T>()
        where T : notnull => _services.GetRequiredService<T>();

    public AsyncServiceScope Scope() => _services.CreateAsyncScope();

    public async Task<T> ReadAsync<T>(Func<OrderDb, Task<T>> read)
    {
        await using var scope = Scope();
        return await read(scope.ServiceProvider.GetRequiredService<OrderDb>());
    }

    /// <summary>Stops the process in order. The container stays, so that the test can read it.</summary>
    public async Task StopAsync()
    {
        foreach (var service in Enumerable.Reverse(_started))
        {
            await service.StopAsync(CancellationToken.None);
        }

        _started.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await _services.DisposeAsync();
    }

    private static void Configure(IBusRegistrationConfigurator bus, HostSetup setup)
    {
        bus.DisableUsageTelemetry();
        bus.AddConsumer<PlaceConsumer>();
        bus.AddConsumer<Recorder>();
        bus.AddSagaStateMachine<OrderMachine, Order>().PersistedBy<Order, OrderDb>();
        bus.AddOutbox<OrderDb>(options =>
            (options.Period, options.SendTimeout, options.MaxAttempts) = (setup.Period, setup.SendTimeout, setup.MaxAttempts)
        );
        bus.AddBusOutbox<OrderDb>();
        bus.AddConfigureEndpointsCallback(
            (context, name, endpoint) =>
            {
                endpoint.ConcurrentMessageLimit = setup.Concurrency;
                if (name != "Recorder")
                {
                    if (setup.Retries > 0)
                    {
                        // Immediate(0) still tries once more.
                        endpoint.UseMessageRetry(retry => retry.Immediate(setup.Retries));
                    }

                    endpoint.UseOutbox<OrderDb>(context);
                }
            }
        );
        bus.AddSendObserver(context => context.GetRequiredService<SendGate>());
        bus.AddDelayedMessageScheduler();
        if (setup.RabbitMq is { } address)
        {
            bus.UsingRabbitMq(
                (context, configurator) =>
                {
                    configurator.Host(address);
                    configurator.UseDelayedMessageScheduler();
                    configurator.ConfigureEndpoints(context);
                }
            );
        }
        else
        {
            bus.UsingInMemory(
                (context, configurator) =>
                {
                    configurator.UseDelayedMessageScheduler();
                    configurator.ConfigureEndpoints(context);
                }
            );
        }
    }

    private async Task StartAsync(HostSetup setup)
    {
        foreach (
            var service in _services
                .GetServices<IHostedService>()
                .Where(service => setup.Loops || service.GetType().Namespace!.StartsWith("MassTransit", StringComparison.Ordinal))
        )
        {
            await service.StartAsync(Stop);
            _started.Add(service);
        }

        await Get<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, Stop);
    }
}

/// <summary>The setup of a process.</summary>
internal sealed record HostSetup
{
    /// <summary>Whether the loops run. If not, the test calls them.</summary>
    public bool Loops { get; init; }

    /// <summary>The default is so long that only a signal starts the delivery loop.</summary>
    public TimeSpan Period { get; init; } = TimeSpan.FromMinutes(1);

    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromSeconds(10);

    public int MaxAttempts { get; init; } = 300;

    public int Retries { get; init; }

    /// <summary>The default is one, so that a message is done before the next one is consumed.</summary>
    public int Concurrency { get; init; } = 1;

    /// <summary>Whether the context comes from a pooled factory, as in the server.</summary>
    public bool Pooled { get; init; }

    public Uri? RabbitMq { get; init; }
}
