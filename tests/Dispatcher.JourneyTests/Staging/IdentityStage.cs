using System.Text.Json;
using Npgsql;
using RabbitMQ.Client;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>
/// A journey whose programs run with identities that <c>dispatcher identity create</c> makes through the command line. Their secrets are
/// files, as in production.
/// </summary>
internal sealed class IdentityStage : IAsyncDisposable
{
    private static readonly TimeSpan LongestStart = TimeSpan.FromSeconds(60);

    private readonly List<string> _names = [];
    private readonly Dictionary<string, string> _environment;

    private IdentityStage(Journey journey)
    {
        Journey = journey;
        Address = $"http://127.0.0.1:{Servers.FreePort()}";
        _environment = new()
        {
            ["DISPATCHER_RABBITMQ_MANAGEMENT"] = Servers.ManagementSetting,
            // Of another user: only host, port and virtual host count.
            ["DISPATCHER_RABBITMQ"] = Servers.BrokerAs(Journey.ServerUser, journey.Name).AbsoluteUri,
            ["DISPATCHER_POSTGRES"] = journey.Postgres,
            ["DISPATCHER_URL"] = Address,
        };
    }

    public Journey Journey { get; }

    /// <summary>The address of the server.</summary>
    public string Address { get; set; }

    public string Secrets => Path.Combine(Journey.Folder, "identities");

    /// <summary>The server, once it was started.</summary>
    public ChildProcess? Server { get; private set; }

    /// <summary>Users of the broker and roles of the database belong to all journeys, so each journey has its own names.</summary>
    public string Named(string name) => $"{Journey.Name}-{name}";

    public static async Task<IdentityStage> BeginAsync() => new(await Journey.BeginAsync());

    /// <summary>Makes an identity, and fails unless the verb succeeds.</summary>
    public async Task CreateAsync(string name, params string[] options)
    {
        var (code, output) = await RunAsync(["create", Named(name), .. options, "--secrets", Secrets]);
        Assert.True(code == 0, output);
    }

    /// <summary>Runs <c>dispatcher identity</c>. Variables replace those of the stage.</summary>
    public Task<(int Code, string Output)> RunAsync(string[] words, params (string Name, string Value)[] variables)
    {
        _names.AddRange(words[0] == "create" ? [words[1]] : []);
        var environment = new Dictionary<string, string>(_environment);
        foreach (var (name, value) in variables)
        {
            environment[name] = value;
        }

        return CommandLineRun.OfAsync(environment, ["identity", .. words]);
    }

    /// <summary>The findings of <c>identity check</c> on the identities of this stage, as <c>name: code</c>.</summary>
    public async Task<IReadOnlyList<string>> FindingsAsync()
    {
        var (code, output) = await RunAsync(["check", "--json"]);
        Assert.True(code is 0 or 1, output);
        return
        [
            .. JsonSerializer
                .Deserialize<JsonElement>(output)
                .GetProperty("findings")
                .EnumerateArray()
                .Where(finding => finding.GetProperty("name").GetString()!.StartsWith(Journey.Name + "-", StringComparison.Ordinal))
                .Select(finding =>
                    finding.GetProperty("name").GetString()![(Journey.Name.Length + 1)..] + ": " + finding.GetProperty("code").GetString()
                )
                .Order(StringComparer.Ordinal),
        ];
    }

    /// <summary>Starts a server with the identity <c>server</c>, and waits until it is ready. Its key is then that of the verbs.</summary>
    public async Task ServeAsync()
    {
        await CreateAsync("server", "--kind", "server");
        Server = Journey.WithWorker(
            ChildProcess.OfOutput(
                "dispatcher.dll",
                Files("server", "DISPATCHER_RABBITMQ", "DISPATCHER_POSTGRES", "DISPATCHER_API_KEY"),
                "serve",
                "--policies",
                Journey.Policies.Folder,
                "--audit",
                Journey.Audit,
                "--urls",
                Address
            )
        );
        using var http = new HttpClient { BaseAddress = new Uri(Address) };
        await Eventually.IsAsync(() => IsReadyAsync(http), () => "the server is ready\n" + Server.Log, LongestStart);
        _environment["DISPATCHER_API_KEY_FILE"] = Secret("server", "api-key");
    }

    /// <summary>Starts the reference worker on pool <c>repo</c> with the identity <c>worker</c> and its role for effects.</summary>
    public async Task<ChildProcess> WorkAsync()
    {
        await CreateAsync("worker", "--kind", "worker", "--pool", "repo", "--effects");
        await Git.MakeRepositoryAsync(Path.Combine(Journey.Folder, "repos", "demo"));
        var worker = Journey.WithWorker(
            ChildProcess.OfOutput(
                "Dispatcher.ReferenceWorker.dll",
                Files("worker", "DISPATCHER_RABBITMQ", "DISPATCHER_API_KEY", "DISPATCHER_EFFECTS"),
                "--url",
                Address,
                "--pools",
                "repo",
                "--repo-root",
                Path.Combine(Journey.Folder, "repos")
            )
        );
        await Eventually.IsAsync(
            () => Task.FromResult(worker.Log.Contains("Consuming", StringComparison.Ordinal)),
            () => "the worker consumes\n" + worker.Log,
            LongestStart
        );
        return worker;
    }

    /// <summary>Connects to the broker with the secret file of an identity.</summary>
    public async Task<IConnection> ConnectAsync(string name) =>
        await new ConnectionFactory
        {
            Uri = new Uri(await ReadAsync(name, "rabbitmq")),
            AutomaticRecoveryEnabled = false,
        }.CreateConnectionAsync(Now);

    /// <summary>Connects to the database with a secret file of an identity.</summary>
    public async Task<NpgsqlDataSource> DatabaseAsync(string name, string secret) =>
        NpgsqlDataSource.Create(await ReadAsync(name, secret) + ";Pooling=false");

    public string Secret(string name, string secret) => Path.Combine(Secrets, Named(name), secret);

    public async Task<string> ReadAsync(string name, string secret) => (await File.ReadAllTextAsync(Secret(name, secret), Now)).Trim();

    public async ValueTask DisposeAsync()
    {
        // The role has rights in the database, and the journey drops that.
        foreach (var name in _names)
        {
            await RunAsync(["revoke", name], ("DISPATCHER_API_KEY_FILE", ""));
        }

        await Journey.DisposeAsync();
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private Dictionary<string, string> Files(string name, params string[] variables) =>
        variables.ToDictionary(
            variable => variable + "_FILE",
            variable => Secret(name, variable["DISPATCHER_".Length..].ToLowerInvariant().Replace('_', '-'))
        );

    private static async Task<bool> IsReadyAsync(HttpClient http)
    {
        try
        {
            return (await http.GetAsync(new Uri("/health/ready", UriKind.Relative), Now)).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
