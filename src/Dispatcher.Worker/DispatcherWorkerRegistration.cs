using System.Text.RegularExpressions;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.Pools;
using Dispatcher.Worker.RabbitMq;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Dispatcher.Worker;

/// <summary>Registers workers in a host.</summary>
public static partial class DispatcherWorkerRegistration
{
    /// <summary>
    /// Serves a pool: <c>services.AddDispatcherWorker("shell", options => …).Handle&lt;ShellHandler&gt;("job.exec.shell")</c>. Called once
    /// for each pool. Uses RabbitMQ and HTTP unless an <see cref="IWorkerTransport"/> is registered.
    /// </summary>
    public static WorkerBuilder AddDispatcherWorker(this IServiceCollection services, string pool, Action<WorkerOptions>? configure = null)
    {
        if (!PoolName().IsMatch(pool))
        {
            throw new ArgumentException($"'{pool}' is not a pool name: it must have 1 to 64 of a-z, 0-9, _ and -.", nameof(pool));
        }

        if (services.Any(service => service.IsKeyedService && service.ServiceType == typeof(PoolWorker) && pool.Equals(service.ServiceKey)))
        {
            throw new InvalidOperationException($"Pool '{pool}' is added twice: add its other handlers with Handle<T>(topic).");
        }

        services.AddLogging().AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<WorkerMetrics>();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<WorkerOptions>, WorkerOptionsValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<WorkerOptions>, EffectStoreValidator>());
        services.TryAddEnumerable(ServiceDescriptor.Singleton<IValidateOptions<WorkerOptions>, WorkerAddressValidator>());
        services.AddOptions<WorkerOptions>(pool).Configure(configure ?? (_ => { })).ValidateOnStart();
        services.AddOptions<HostOptions>().PostConfigure(host => host.ShutdownTimeout = Max(host.ShutdownTimeout, StopTime(configure)));

        var registration = new PoolRegistration(pool);
        services.AddKeyedSingleton(pool, (provider, _) => MakeTransport(provider, pool));
        services.AddKeyedSingleton(
            pool,
            (provider, _) => new PoolWorker(registration, provider, provider.GetRequiredService<IHostApplicationLifetime>())
        );
        services.AddSingleton<IHostedService>(provider => provider.GetRequiredKeyedService<PoolWorker>(pool));
        return new WorkerBuilder(services, registration);
    }

    private static RabbitMqWorkerTransport MakeTransport(IServiceProvider provider, string pool)
    {
        var options = provider.GetRequiredService<IOptionsMonitor<WorkerOptions>>().Get(pool);
        return new RabbitMqWorkerTransport(
            options,
            provider.GetRequiredService<TimeProvider>(),
            provider.GetRequiredService<ILogger<RabbitMqWorkerTransport>>()
        );
    }

    // The stop grace and the time to send the last outcomes. Reads unvalidated options: the validators report wrong ones.
    private static TimeSpan StopTime(Action<WorkerOptions>? configure)
    {
        var options = new WorkerOptions();
        configure?.Invoke(options);
        return options.StopGrace + TimeSpan.FromSeconds(10);
    }

    private static TimeSpan Max(TimeSpan a, TimeSpan b) => a > b ? a : b;

    [GeneratedRegex(@"^[a-z0-9_-]{1,64}\z", RegexOptions.CultureInvariant)]
    private static partial Regex PoolName();
}

/// <summary>Adds handlers to a pool.</summary>
public sealed class WorkerBuilder
{
    private readonly PoolRegistration _pool;

    internal WorkerBuilder(IServiceCollection services, PoolRegistration pool) => (Services, _pool) = (services, pool);

    /// <summary>The container, for the dependencies of the handlers.</summary>
    public IServiceCollection Services { get; }

    /// <summary>
    /// Runs the jobs of a topic, for example <c>job.exec.shell</c>, with this handler. A topic has one handler. It is created for each run,
    /// in a new scope.
    /// </summary>
    public WorkerBuilder Handle<THandler>(string topic)
        where THandler : class, IJobHandler
    {
        if (!_pool.Handlers.TryAdd(topic, typeof(THandler)))
        {
            throw new InvalidOperationException(
                $"Pool '{_pool.Name}' has two handlers for topic '{topic}': {_pool.Handlers[topic]} and {typeof(THandler)}."
            );
        }

        Services.TryAddScoped<THandler>();
        return this;
    }

    /// <summary>
    /// Declares that the pool's handlers enforce these constraints, for example <c>allowed_hosts</c>. The library enforces
    /// <c>timeout_ms</c> and <c>max_output_bytes</c>. A worker that lacks a constraint which the registry requires for the pool refuses to
    /// start.
    /// </summary>
    public WorkerBuilder Enforces(params ReadOnlySpan<string> constraints)
    {
        foreach (var constraint in constraints)
        {
            _pool.Enforcers.Add(constraint);
        }

        return this;
    }
}
