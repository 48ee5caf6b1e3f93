using System.Globalization;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// One operator's story: a virtual host, a database and a policy folder of its own, and the processes it starts. <see cref="EndsWellAsync"/> closes it and
/// checks what must hold after any story.
/// </summary>
internal sealed class Journey : IAsyncDisposable
{
    /// <summary>The broker user of the dispatchers. The user <c>dispatcher</c>, which may do anything, is the test's own.</summary>
    public const string ServerUser = "server";

    /// <summary>A proxy that answers nobody. Workers are told of it, and must reach a dispatcher on this machine all the same.</summary>
    private const string NoProxy = "http://127.0.0.1:9";

    private static readonly string[] Producers = ["billing", "shipping"];
    private static readonly string[] Pools = ["test", "repo", "strict"];
    private static int _count;

    private readonly List<DispatcherProcess> _dispatchers = [];
    private readonly List<Child> _workers = [];
    private readonly List<Producer> _producers = [];
    private readonly Dictionary<string, string> _keys = [];
    private bool _areBound;

    private Journey(string name, bool migrated)
    {
        Name = name;
        IsMigrated = migrated;
        Folder = Path.Combine(Path.GetTempPath(), name);
        Postgres = Servers.Postgres(name);
        Database = NpgsqlDataSource.Create(Postgres);
        Policies = new PolicyDraft(Path.Combine(Folder, "policies"));
        Records = new Records(Database);
    }

    /// <summary>Also the name of the virtual host and of the database.</summary>
    public string Name { get; }

    public string Folder { get; }

    /// <summary>The audit folder that its dispatchers share.</summary>
    public string Audit => Path.Combine(Folder, "audit");

    public string Postgres { get; }

    /// <summary>Whether the database is migrated when the story begins. Dispatchers then serve as a role that cannot migrate.</summary>
    public bool IsMigrated { get; }

    /// <summary>The database as dispatchers connect to it.</summary>
    public string ServePostgres =>
        new NpgsqlConnectionStringBuilder(Postgres)
        {
            Username = IsMigrated ? PostgresTemplate.ServeRole : new NpgsqlConnectionStringBuilder(Postgres).Username,
            Port = Gate?.Port ?? new NpgsqlConnectionStringBuilder(Postgres).Port,
        }.ConnectionString;

    /// <summary>The way of its dispatchers to the database. Null: the direct one.</summary>
    public TcpGate? Gate { get; private set; }

    /// <summary>Dispatchers that start from now on reach the database through a gate.</summary>
    public TcpGate GateToDatabase() => Gate = new TcpGate(new NpgsqlConnectionStringBuilder(Postgres).Port);

    public NpgsqlDataSource Database { get; }

    public PolicyDraft Policies { get; }

    /// <summary>What the store says.</summary>
    public Records Records { get; }

    /// <summary>A dispatch message that has a dispatcher look at the line of pool <c>test</c>.</summary>
    public static ReadOnlyMemory<byte> WakeTest { get; } = """{"v":1,"pools":["test"]}"""u8.ToArray();

    /// <summary>How many jobs a mass journey takes: <c>DISPATCHER_TEST_JOBS</c>, else what fits a quick run.</summary>
    public static int Jobs(int usual) => Number("DISPATCHER_TEST_JOBS", usual);

    /// <summary>A number from the environment, else what fits a quick run.</summary>
    public static int Number(string variable, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : usual;

    /// <summary>With a database that is migrated, or one without tables.</summary>
    public static async Task<Journey> BeginAsync(bool migrated = true)
    {
        var journey = new Journey($"journey_{Environment.ProcessId}_{Interlocked.Increment(ref _count)}", migrated);
        Directory.CreateDirectory(journey.Folder);
        journey.Policies.Write();
        await journey.MakeVhostAsync();
        var template =
            await TestContext.Current.GetFixture<PostgresTemplate>()
            ?? throw new InvalidOperationException("The template is an assembly fixture.");
        await (migrated ? template.CopyAsync(journey.Name) : PostgresTemplate.EmptyAsync(journey.Name));
        return journey;
    }

    /// <summary>Its virtual host and the rights of its users.</summary>
    public async Task MakeVhostAsync()
    {
        await Servers.MakeVhostAsync(Name);
        await Task.WhenAll([
            Servers.MakeUserAsync(Name, "dispatcher", ".*", ".*", ".*"),
            BrokerRoles.MakeUserAsync(Name, ServerUser, BrokerRoles.Server),
            .. Producers.Select(producer =>
                Servers.MakeUserAsync(
                    Name,
                    producer,
                    $@"^(reply\.)?{producer}\..*",
                    $@"^(dispatcher\.jobs|(reply\.)?{producer}\..*)$",
                    $@"^(dispatcher\.events|dispatcher\.dead-letter|(reply\.)?{producer}\..*)$"
                )
            ),
            .. Pools.Select(pool => BrokerRoles.MakeUserAsync(Name, "worker-" + pool, BrokerRoles.Worker, ("pool", pool))),
        ]);
    }

    /// <summary>Starts a dispatcher without waiting for it.</summary>
    public DispatcherProcess StartDispatcher(string? address = null)
    {
        var dispatcher = new DispatcherProcess(this, address ?? $"http://127.0.0.1:{Servers.FreePort()}");
        _dispatchers.Add(dispatcher);
        return dispatcher;
    }

    public async Task<DispatcherProcess> DispatcherAsync(string? address = null)
    {
        var dispatcher = StartDispatcher(address);
        await dispatcher.ReadyAsync();
        await BindProducersAsync(dispatcher);
        return dispatcher;
    }

    /// <summary>The connections of the one running dispatcher: its own and those of its two buses.</summary>
    public async Task<IReadOnlyList<string>> ServerConnectionsAsync()
    {
        IReadOnlyList<string> connections = [];
        await Eventually.IsAsync(
            async () => (connections = await Servers.ConnectionsAsync(Name, ServerUser)).Count >= 3,
            () => "the broker lists the dispatcher's connections\n" + Logs(),
            TimeSpan.FromSeconds(30)
        );
        return connections;
    }

    /// <summary>A dispatcher that has declared its queues and has ended.</summary>
    public async Task<DispatcherProcess> StoppedWithQueuesAsync()
    {
        var dispatcher = await DispatcherAsync();
        await StopAsync([dispatcher]);
        return dispatcher;
    }

    /// <summary>Two that share the work, started at once.</summary>
    public async Task<(DispatcherProcess First, DispatcherProcess Second)> TwoDispatchersAsync()
    {
        var (first, second) = (StartDispatcher(), StartDispatcher());
        await first.ReadyAsync();
        await second.ReadyAsync();
        await BindProducersAsync(first);
        return (first, second);
    }

    /// <summary>Jobs of a principal that nobody is responsible for are denied when they need an approval.</summary>
    private async Task BindProducersAsync(DispatcherProcess dispatcher)
    {
        foreach (var producer in _areBound ? [] : Producers)
        {
            await dispatcher.BindAsync(producer, producer + "-owner");
        }

        _areBound = true;
    }

    /// <summary>A worker whose effects are counted. Its claims go to this dispatcher.</summary>
    public async Task<Child> CountingWorkerAsync(DispatcherProcess dispatcher, int concurrency = 16, int secondsAhead = 0) =>
        await ServingAsync(await StartWorkerAsync(dispatcher, concurrency, secondsAhead: secondsAhead));

    /// <summary>The same without waiting until it serves.</summary>
    public async Task<Child> StartWorkerAsync(
        DispatcherProcess dispatcher,
        int concurrency = 16,
        string pool = "test",
        int secondsAhead = 0
    )
    {
        var key = await KeyAsync(dispatcher, "worker-" + pool, "worker:" + pool);
        return Started(
            new Child(
                "Dispatcher.JourneyWorker.dll",
                new Dictionary<string, string> { ["HTTP_PROXY"] = NoProxy },
                pool,
                concurrency.ToString(CultureInfo.InvariantCulture),
                Servers.BrokerAs("worker-" + pool, Name).AbsoluteUri,
                dispatcher.Address,
                key,
                Postgres,
                secondsAhead.ToString(CultureInfo.InvariantCulture)
            )
        );
    }

    /// <summary>The reference worker on pool repo, with one real repository, <c>demo</c>.</summary>
    public async Task<Child> RepoWorkerAsync(DispatcherProcess dispatcher)
    {
        var key = await KeyAsync(dispatcher, "worker-repo", "worker:repo");
        await Git.MakeRepositoryAsync(Path.Combine(Folder, "repos", "demo"));
        return await ServingAsync(
            Started(
                new Child(
                    "Dispatcher.ReferenceWorker.dll",
                    new Dictionary<string, string> { ["DISPATCHER_API_KEY"] = key },
                    "--rabbitmq",
                    Servers.BrokerAs("worker-repo", Name).AbsoluteUri,
                    "--url",
                    dispatcher.Address,
                    "--pools",
                    "repo",
                    "--repo-root",
                    Path.Combine(Folder, "repos")
                )
            )
        );
    }

    /// <summary>Any program as a worker of a pool: it gets broker, server and key as the README says.</summary>
    public async Task<Child> WorkerAsync(DispatcherProcess dispatcher, string pool, string file, params string[] arguments)
    {
        var environment = new Dictionary<string, string>
        {
            ["DISPATCHER_RABBITMQ"] = Servers.BrokerAs("worker-" + pool, Name).AbsoluteUri,
            ["DISPATCHER_URL"] = dispatcher.Address,
            ["DISPATCHER_API_KEY"] = await KeyAsync(dispatcher, "worker-" + pool, "worker:" + pool),
            ["http_proxy"] = NoProxy,
        };
        return Started(new Child(environment, file, arguments));
    }

    public async Task<Producer> ProducerAsync(string user = "billing")
    {
        var producer = await Producer.ConnectAsync(Name, user);
        _producers.Add(producer);
        return producer;
    }

    public async Task<IConnection> ConnectAsync(string user) =>
        await new ConnectionFactory { Uri = Servers.BrokerAs(user, Name) }.CreateConnectionAsync(Now);

    /// <summary>Waits until none of the accepted jobs can go on by itself.</summary>
    public Task SettledAsync(int jobs, int seconds = 120) =>
        Eventually.IsAsync(
            async () => await Records.SettledAsync() >= jobs,
            () => $"{jobs} jobs are settled. {Records.StatesAsync().GetAwaiter().GetResult()}\n{Logs()}",
            TimeSpan.FromSeconds(seconds)
        );

    /// <summary>Changes the policy folder, and waits until the changed one is in force.</summary>
    public async Task ChangePoliciesAsync(string moreRules)
    {
        var before = await Records.ActiveBundleAsync();
        Policies.Write(moreRules);
        await Eventually.IsAsync(
            async () => await Records.ActiveBundleAsync() != before,
            () => "the changed folder is in force\n" + Logs(),
            TimeSpan.FromSeconds(20)
        );
    }

    /// <summary>Takes what nobody serves off a queue, and checks how much it was.</summary>
    public async Task DrainAsync(string queue, uint messages)
    {
        await using var connection = await ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        Assert.Equal(messages, await channel.QueuePurgeAsync(queue, Now));
    }

    /// <summary>
    /// What must hold after any story: one final state for each job (or held), dead letters for those that died, no message in the outbox; all processes stop in
    /// order; nothing is left in any queue.
    /// </summary>
    public async Task EndsWellAsync(int expectedDeadLetters = 0)
    {
        await Eventually.IsAsync(
            async () => await Records.OutboxAsync() == 0,
            () => $"the outbox is empty\n{Logs()}",
            TimeSpan.FromSeconds(40)
        );
        Assert.Empty(await Records.JobsWithoutOneEndAsync());
        Assert.Equal(expectedDeadLetters, await Records.DeadLettersAsync());
        Assert.Empty(await Records.AttemptsNotOnceAsync());
        Assert.Empty(await Records.EffectsNotOnceAsync());
        await StopAsync(_workers);
        await StopAsync(_dispatchers);

        await using var connection = await ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        foreach (var queue in await Servers.QueuesAsync(Name))
        {
            await Eventually.IsAsync(
                async () => (await channel.QueueDeclarePassiveAsync(queue, Now)).MessageCount == 0,
                () => $"queue {queue} is empty\n{Logs()}",
                TimeSpan.FromSeconds(10)
            );
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var producer in _producers)
        {
            await producer.DisposeAsync();
        }

        foreach (var process in _workers.Concat(_dispatchers))
        {
            await process.DisposeAsync();
        }

        await (Gate?.DisposeAsync() ?? ValueTask.CompletedTask);
        await Servers.DropVhostAsync(Name);
        await Database.DisposeAsync();
        await PostgresTemplate.DropAsync(Name);
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>The end of what the processes said, for a failure's message.</summary>
    public string Logs() =>
        string.Join(
            "\n",
            _dispatchers.Concat(_workers).Select(process => $"--- {process.GetType().Name} {process.ProcessId}\n{Tail(process.Log)}")
        );

    private static Task StopAsync(IEnumerable<Child> processes) =>
        Task.WhenAll(
            processes
                .Where(process => !process.HasEnded)
                .ToList()
                .Select(async process =>
                    Assert.True(
                        await process.StopAsync() is var code && code == 0,
                        $"A process stopped with exit code {code}.\n{process.Log}"
                    )
                )
        );

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static string Tail(string log) => log.Length <= 6_000 ? log : "…" + log[^6_000..];

    private async Task<string> KeyAsync(DispatcherProcess dispatcher, string subject, string role) =>
        _keys.TryGetValue(subject, out var key) ? key : _keys[subject] = await dispatcher.MakeKeyAsync(subject, role);

    private Child Started(Child worker)
    {
        _workers.Add(worker);
        return worker;
    }

    private static async Task<Child> ServingAsync(Child worker)
    {
        await Eventually.IsAsync(() => worker.Log.Contains("Consuming", StringComparison.Ordinal), "the worker consumes");
        return worker;
    }
}
