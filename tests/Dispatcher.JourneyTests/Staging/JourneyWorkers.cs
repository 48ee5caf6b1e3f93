using Dispatcher.JourneyWorker;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The workers of a journey. Each calls the dispatcher that it is given, and stops with the journey.</summary>
internal static class JourneyWorkers
{
    /// <summary>
    /// A proxy that does not answer. A worker process is given it, and must reach a dispatcher on this machine without it.
    /// </summary>
    private const string NoProxy = "http://127.0.0.1:9";

    /// <summary>A worker of pool <c>test</c> in the process of the tests, whose effects are counted.</summary>
    public static async Task<HostedWorker> CountingWorkerAsync(this Journey journey, DispatcherServer dispatcher, int concurrency = 16) =>
        await ServingAsync(journey.WithWorker(new HostedWorker(await SettingsAsync(journey, dispatcher, "test", concurrency))));

    /// <summary>The same as a process of its own: for journeys that kill, freeze or identify it.</summary>
    public static async Task<ChildProcess> CountingWorkerProcessAsync(
        this Journey journey,
        DispatcherServer dispatcher,
        int concurrency = 16,
        int secondsAhead = 0
    ) => await ServingAsync(await journey.StartWorkerProcessAsync(dispatcher, concurrency, secondsAhead: secondsAhead));

    /// <summary>The same without waiting until it serves.</summary>
    public static async Task<ChildProcess> StartWorkerProcessAsync(
        this Journey journey,
        DispatcherServer dispatcher,
        int concurrency = 16,
        string pool = "test",
        int secondsAhead = 0
    )
    {
        var settings = await SettingsAsync(journey, dispatcher, pool, concurrency) with { SecondsAhead = secondsAhead };
        return journey.WithWorker(
            ChildProcess.OfOutput(
                "Dispatcher.JourneyWorker.dll",
                new Dictionary<string, string>(journey.Tls?.Client ?? new Dictionary<string, string>()) { ["HTTP_PROXY"] = NoProxy },
                settings.Arguments()
            )
        );
    }

    /// <summary>The reference worker on pool <c>repo</c>, with one real repository, <c>demo</c>.</summary>
    public static async Task<ChildProcess> RepoWorkerAsync(this Journey journey, DispatcherServer dispatcher)
    {
        await Git.MakeRepositoryAsync(Path.Combine(journey.Folder, "repos", "demo"));
        return await ServingAsync(
            journey.WithWorker(
                ChildProcess.OfOutput(
                    "Dispatcher.ReferenceWorker.dll",
                    new Dictionary<string, string>(journey.Variables)
                    {
                        ["DISPATCHER_API_KEY"] = await journey.KeyAsync(dispatcher, "worker-repo", "worker:repo"),
                    },
                    "--rabbitmq",
                    Servers.BrokerAs("worker-repo", journey.Name).AbsoluteUri,
                    "--url",
                    dispatcher.Address,
                    "--pools",
                    "repo",
                    "--repo-root",
                    Path.Combine(journey.Folder, "repos")
                )
            )
        );
    }

    /// <summary>Any program as a worker of a pool. It gets broker, server and key as the README states.</summary>
    public static async Task<ChildProcess> WorkerAsync(
        this Journey journey,
        DispatcherServer dispatcher,
        string pool,
        string file,
        params string[] arguments
    )
    {
        var environment = new Dictionary<string, string>
        {
            ["DISPATCHER_RABBITMQ"] = Servers.BrokerAs("worker-" + pool, journey.Name).AbsoluteUri,
            ["DISPATCHER_URL"] = dispatcher.Address,
            ["DISPATCHER_API_KEY"] = await journey.KeyAsync(dispatcher, "worker-" + pool, "worker:" + pool),
            ["http_proxy"] = NoProxy,
        };
        return journey.WithWorker(new ChildProcess(environment, file, arguments));
    }

    private static async Task<JourneyWorkerSettings> SettingsAsync(
        Journey journey,
        DispatcherServer dispatcher,
        string pool,
        int concurrency
    ) =>
        new(
            pool,
            concurrency,
            journey.BrokerAs("worker-" + pool),
            new Uri(dispatcher.Address),
            await journey.KeyAsync(dispatcher, "worker-" + pool, "worker:" + pool),
            journey.Tls is null ? journey.Postgres : JourneyTls.Verified(journey.Postgres)
        );

    private static async Task<T> ServingAsync<T>(T worker)
        where T : RunningProgram
    {
        await Eventually.IsAsync(() => worker.Log.Contains("Consuming", StringComparison.Ordinal), "the worker consumes");
        return worker;
    }
}
