using Dispatcher.ReferenceWorker.Deploys;
using Dispatcher.ReferenceWorker.Integrations;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.ReferenceWorker.Repos;
using Dispatcher.ReferenceWorker.Settings;
using Dispatcher.ReferenceWorker.Shell;
using Dispatcher.Worker;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Dispatcher.ReferenceWorker;

/// <summary>Serves the shipped topics with real handlers, in a separate worker or inside the server.</summary>
public static class ReferenceWorkerRegistration
{
    /// <summary>All pools that have handlers.</summary>
    public static IReadOnlyList<string> AllPools => ReferenceWorkerPools.All;

    /// <summary>
    /// Serves these pools and protects the secrets of this process from the programs they start (<see cref="ProcessSecrets"/>). With a
    /// registered <see cref="IWorkerTransport"/> it needs no RabbitMQ.
    /// </summary>
    /// <remarks>
    /// On Linux, a pool that runs programs makes this process the parent of orphans below it (PR_SET_CHILD_SUBREAPER). The worker kills
    /// those that lead a session and are not its supervisors. On other systems the start fails, because nothing there can end everything
    /// that a program starts.
    /// </remarks>
    /// <param name="services">The container.</param>
    /// <param name="pools">Some of <see cref="AllPools"/>.</param>
    /// <param name="configure">Sets what the handlers may touch.</param>
    /// <param name="configurePool">Sets the options of each pool, by its name. Null: defaults.</param>
    public static IServiceCollection AddReferenceWorker(
        this IServiceCollection services,
        IReadOnlyList<string> pools,
        Action<ReferenceWorkerOptions> configure,
        Action<string, WorkerOptions>? configurePool = null
    )
    {
        // Before any program can be started.
        ProcessSecrets.Protect();
        services.AddOptions<ReferenceWorkerOptions>().Configure(configure).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ReferenceWorkerOptions>>(new ReferenceWorkerOptionsValidator(pools));
        services.TryAddSingleton<EgressClient>();
        if (pools.Any(ReferenceWorkerPools.RunsPrograms))
        {
            services.TryAddSingleton<Programs>();
            // Before the workers: a pool whose programs could outlive their runs must not be served.
            services.AddHostedService(provider => provider.GetRequiredService<Programs>());
        }

        foreach (var pool in pools)
        {
            var worker = services.AddDispatcherWorker(pool, options => configurePool?.Invoke(pool, options));
            _ = pool switch
            {
                ReferenceWorkerPools.Repo => worker.Handle<RepoReadHandler>("job.repo.read"),
                ReferenceWorkerPools.Shell => worker.Handle<ShellHandler>("job.exec.shell").Enforces("allowed_commands"),
                ReferenceWorkerPools.Integrations => worker.Handle<IntegrationHandler>("job.integrations.call").Enforces("allowed_hosts"),
                ReferenceWorkerPools.Deploy => worker.Handle<DeployHandler>("job.deploy.apply"),
                _ => throw new ArgumentException(
                    $"The reference worker has no pool '{pool}' (known: {string.Join(", ", AllPools)}).",
                    nameof(pools)
                ),
            };
        }

        return services;
    }
}
