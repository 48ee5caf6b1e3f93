using System.Globalization;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// One operator's story: a virtual host, a database and a policy folder of its own, and the programs it starts.
/// <see cref="EndsWellAsync"/> closes it and checks what must hold after any story.
/// </summary>
internal sealed class Journey : IAsyncDisposable
{
    /// <summary>The broker user of the dispatchers. The user <c>dispatcher</c>, which may do anything, is the test's own.</summary>
    public const string ServerUser = "server";

    /// <summary>The broker users that submit jobs.</summary>
    public static IReadOnlyList<string> Producers { get; } = ["billing", "shipping"];

    private const string Signals = "dispatcher.server.dispatch";

    private static int _count;

    private readonly List<DispatcherServer> _servers = [];
    private readonly List<RunningProgram> _workers = [];
    private readonly List<Producer> _producers = [];
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
    public string ServePostgres => Tls is null ? ServeWithoutTls : JourneyTls.Required(ServeWithoutTls);

    private string ServeWithoutTls =>
        new NpgsqlConnectionStringBuilder(Postgres)
        {
            Username = IsMigrated ? PostgresTemplate.ServeRole : new NpgsqlConnectionStringBuilder(Postgres).Username,
            Port = Gate?.Port ?? new NpgsqlConnectionStringBuilder(Postgres).Port,
        }.ConnectionString;

    /// <summary>Through which its dispatchers reach the database. Null: directly.</summary>
    public TcpGate? Gate { get; private set; }

    /// <summary>Dispatchers that start from now on reach the database through a gate.</summary>
    public TcpGate GateToDatabase() => Gate = new TcpGate(new NpgsqlConnectionStringBuilder(Postgres).Port);

    /// <summary>TLS on the connections of processes that start from now on, and of producers. Null: plain text.</summary>
    public JourneyTls? Tls { get; private set; }

    /// <summary>Processes that start from now on use TLS on every connection.</summary>
    public async Task<JourneyTls> UseTlsAsync()
    {
        await JourneyTls.MakeRoleAsync(Database);
        return Tls = new JourneyTls(Folder);
    }

    public Uri BrokerAs(string user) => Tls is null ? Servers.BrokerAs(user, Name) : Servers.TlsBrokerAs(user, Name);

    public NpgsqlDataSource Database { get; }

    public PolicyDraft Policies { get; }

    /// <summary>Variables of the server and reference worker processes that start from now on.</summary>
    public Dictionary<string, string> Variables { get; } = [];

    /// <summary>The rows of the store.</summary>
    public Records Records { get; }

    /// <summary>A dispatch signal: a dispatcher checks the backlog of pool <c>test</c>.</summary>
    public static ReadOnlyMemory<byte> SignalTest { get; } = """{"v":1,"pools":["test"]}"""u8.ToArray();

    /// <summary>How many jobs a mass journey takes: <c>DISPATCHER_TEST_JOBS</c>, else what fits a quick run.</summary>
    public static int Jobs(int usual) => Number("DISPATCHER_TEST_JOBS", usual);

    /// <summary>A number from the environment, else what fits a quick run.</summary>
    public static int Number(string variable, int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), CultureInfo.InvariantCulture, out var number) ? number : usual;

    /// <summary>With a database that is migrated, or one without tables.</summary>
    public static async Task<Journey> BeginAsync(bool migrated = true)
    {
        var journey = new Journey($"{PostgresTemplate.Prefix}{Interlocked.Increment(ref _count)}", migrated);
        Directory.CreateDirectory(journey.Folder);
        journey.Policies.Write();
        await journey.MakeVhostAsync();
        var template =
            await TestContext.Current.GetFixture<PostgresTemplate>()
            ?? throw new InvalidOperationException("The template is an assembly fixture.");
        await (migrated ? template.CopyAsync(journey.Name) : PostgresTemplate.EmptyAsync(journey.Name));
        return journey;
    }

    /// <summary>A server in the process of the tests, ready.</summary>
    public Task<DispatcherServer> DispatcherAsync(string? address = null) => ReadyAsync(StartDispatcher(address));

    /// <summary>A server as a process of its own, ready: for journeys that kill, freeze or measure it.</summary>
    public Task<ServerProcess> DispatcherProcessAsync(string? address = null) => ReadyAsync(StartDispatcherProcess(address));

    /// <summary>Two servers that share the work, started at once.</summary>
    public async Task<(DispatcherServer First, DispatcherServer Second)> TwoDispatchersAsync()
    {
        var (first, second) = (StartDispatcher(), StartDispatcher());
        return (await ReadyAsync(first), await ReadyAsync(second));
    }

    /// <summary>Two processes that share the work, started at once.</summary>
    public async Task<(ServerProcess First, ServerProcess Second)> TwoDispatcherProcessesAsync()
    {
        var (first, second) = (StartDispatcherProcess(), StartDispatcherProcess());
        return (await ReadyAsync(first), await ReadyAsync(second));
    }

    /// <summary>Starts a server in the process of the tests without waiting for it.</summary>
    public DispatcherServer StartDispatcher(string? address = null) => Added(new HostedServer(this, address ?? FreeAddress()));

    private ServerProcess StartDispatcherProcess(string? address = null) =>
        Added(new ServerProcess(this, address ?? FreeAddress(Tls is null ? "http" : "https")));

    private static string FreeAddress(string scheme = "http") => $"{scheme}://127.0.0.1:{Servers.FreePort()}";

    private T Added<T>(T server)
        where T : DispatcherServer
    {
        _servers.Add(server);
        return server;
    }

    private async Task<T> ReadyAsync<T>(T server)
        where T : DispatcherServer
    {
        await server.ReadyAsync();
        await BindProducersAsync(server);
        return server;
    }

    /// <summary>Has a server declare its queues and stop.</summary>
    public async Task DeclareQueuesAsync() => Assert.Equal(0, await (await DispatcherAsync()).StopAsync());

    /// <summary>Names a person for each producer. Without one, jobs that need an approval are denied.</summary>
    private async Task BindProducersAsync(DispatcherServer dispatcher)
    {
        foreach (var producer in _areBound ? [] : Producers)
        {
            await dispatcher.BindAsync(producer, producer + "-owner");
        }

        _areBound = true;
    }

    /// <summary>The key of a subject, made once.</summary>
    public Dictionary<string, string> Keys { get; } = [];

    public async Task<string> KeyAsync(DispatcherServer dispatcher, string subject, string role) =>
        Keys.TryGetValue(subject, out var key) ? key : Keys[subject] = await dispatcher.MakeKeyAsync(subject, role);

    /// <summary>Stops and disposes the worker with the journey.</summary>
    public T WithWorker<T>(T worker)
        where T : RunningProgram
    {
        _workers.Add(worker);
        return worker;
    }

    public async Task<Producer> ProducerAsync(string user = "billing")
    {
        var producer = await Producer.ConnectAsync(BrokerAs(user), user);
        _producers.Add(producer);
        return producer;
    }

    public async Task<IConnection> ConnectAsync(string user) =>
        await new ConnectionFactory { Uri = Servers.BrokerAs(user, Name) }.CreateConnectionAsync(Now);

    /// <summary>Waits until so many jobs are final or held.</summary>
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

    /// <summary>Removes the messages of a queue without consumers, and checks their number.</summary>
    public async Task DrainAsync(string queue, uint messages)
    {
        await using var connection = await ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        Assert.Equal(messages, await channel.QueuePurgeAsync(queue, Now));
    }

    /// <summary>
    /// Checks what must hold after any story: each job has one final state or is held, each one that died has a dead letter, the outbox and
    /// all queues are empty, and all programs stop in order.
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
        if (_servers.Any(server => !server.HasEnded))
        {
            await QueuesAreEmptyAsync([Signals]);
        }

        await StopAsync(_servers);

        // A message that a server did not ack is in its queue again. A last dispatch signal may be left: servers check each backlog anyway.
        await QueuesAreEmptyAsync((await Servers.QueuesAsync(Name)).Where(queue => queue != Signals));
    }

    private async Task QueuesAreEmptyAsync(IEnumerable<string> queues)
    {
        await using var connection = await ConnectAsync("dispatcher");
        await using var channel = await connection.CreateChannelAsync(cancellationToken: Now);
        foreach (var queue in queues)
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

        await Task.WhenAll(_workers.Concat(_servers).Select(program => program.DisposeAsync().AsTask()));

        await (Gate?.DisposeAsync() ?? ValueTask.CompletedTask);
        Tls?.Dispose();
        await Servers.DropVhostAsync(Name);
        await Database.DisposeAsync();
        await PostgresTemplate.DropAsync(Name);
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>The end of each log, for the message of a failure.</summary>
    public string Logs() => string.Join("\n", _servers.Concat(_workers).Select(program => $"--- {program.Name}\n{Tail(program.Log)}"));

    private static Task StopAsync(IEnumerable<RunningProgram> programs) =>
        Task.WhenAll(
            programs
                .Where(program => !program.HasEnded)
                .ToList()
                .Select(async program =>
                    Assert.True(
                        await program.StopAsync() is var code && code == 0,
                        $"{program.Name} stopped with exit code {code}.\n{program.Log}"
                    )
                )
        );

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static string Tail(string log) => log.Length <= 6_000 ? log : "…" + log[^6_000..];
}
