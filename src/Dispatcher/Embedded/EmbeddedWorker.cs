using Dispatcher.Base;
using Dispatcher.ReferenceWorker;
using Dispatcher.ReferenceWorker.Processes;
using Dispatcher.Worker;

namespace Dispatcher.Embedded;

/// <summary>The reference worker inside the embedded server.</summary>
internal static class EmbeddedWorker
{
    /// <summary>The pools whose queues the embedded server consumes.</summary>
    public static IReadOnlyList<string> Pools(ServerSettings settings) =>
        settings is { IsEmbedded: true, Worker: true } ? ReferenceWorkerRegistration.AllPools : [];

    /// <summary>Restarts the process without diagnostics if the call may run the worker. <c>Main</c> must call it first.</summary>
    public static void RestartWithoutDiagnostics(string[] args)
    {
        // A call that is not recognized keeps its diagnostics, and the worker then refuses to start.
        if (args is ["demo", ..] || (args is ["serve", ..] && NamesData(args)))
        {
            ProcessSecrets.RestartWithoutDiagnostics();
        }
    }

    private static bool NamesData(string[] args) =>
        args.Any(argument => argument.StartsWith("--data", StringComparison.Ordinal))
        || !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("DISPATCHER_DATA"));

    public static void AddEmbeddedWorker(this IServiceCollection services, ServerSettings settings)
    {
        var pools = Pools(settings);
        if (pools.Count == 0)
        {
            return;
        }

        services.AddSingleton<InProcessTransport>();
        services.AddSingleton<IWorkerTransport>(provider => provider.GetRequiredService<InProcessTransport>());
        services.AddReferenceWorker(
            pools,
            options =>
            {
                options.RepoRoot = EmbeddedFiles.Work(settings.DataFolder!, "repos");
                options.ShellRoot = EmbeddedFiles.Work(settings.DataFolder!, "shell");
                options.Recipes = settings.Recipes;
            },
            (pool, options) =>
            {
                options.Instance = $"{InProcessTransport.Subject}/{options.Instance}";
                options.EffectStore = EmbeddedFiles.Effects(settings.DataFolder!, pool);
                options.StopGrace = TimeSpan.FromSeconds(5);
            }
        );
    }
}
