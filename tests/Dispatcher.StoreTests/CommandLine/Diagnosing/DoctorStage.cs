using System.Net.Http.Headers;
using System.Text;
using Dispatcher.Base;
using Dispatcher.CommandLine.Diagnosing;
using Dispatcher.CommandLine.Identities;
using Dispatcher.StoreTests.Databases;
using Npgsql;

namespace Dispatcher.StoreTests.CommandLine.Diagnosing;

/// <summary>A healthy configuration of a server on a virtual host, a broker user and a database role of its own.</summary>
internal sealed class DoctorStage : IAsyncDisposable
{
    private readonly string _secret = GeneratedSecret.New();
    private readonly IdentityRoles _roles;
    private readonly HttpClient _management;
    private readonly Uri _broker;

    private DoctorStage(TestDatabase database, Uri broker, Uri management)
    {
        Database = database;
        _broker = broker;
        _roles = new IdentityRoles(database.PostgresConnectionString);
        _management = new HttpClient { BaseAddress = management };
        _management.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String("guest:guest"u8));
    }

    /// <summary>The name of virtual host, broker user and role.</summary>
    public string Name { get; } = $"doctor-{Guid.CreateVersion7():n}";

    public TestDatabase Database { get; }

    public DirectoryInfo Folder { get; } = Directory.CreateTempSubdirectory("dispatcher-doctor-");

    public Dictionary<string, string> Variables { get; } = [];

    public ServerSettings Settings { get; private set; } = null!;

    public BrokerRights Rights => BrokerRights.Of(IdentityKind.Server, Name, "");

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    public static async Task<DoctorStage> BeginAsync(TestDatabase database)
    {
        var (broker, management) = (VariableOrSkip("DISPATCHER_TEST_RABBITMQ"), VariableOrSkip("DISPATCHER_TEST_RABBITMQ_MANAGEMENT"));
        var stage = new DoctorStage(database, new Uri(broker), new Uri(management));
        await stage.PutAsync($"api/vhosts/{stage.Name}", "{}");
        await stage.PutAsync($"api/permissions/{stage.Name}/guest", """{"configure":".*","write":".*","read":".*"}""");
        await stage.SetTagsAsync("");
        await stage.PermitAsync(stage.Rights);
        await stage._roles.CreateServerAsync(stage.Name, stage._secret, Stop);
        stage.Variables[BrokerManagement.SettingName] = new UriBuilder(management) { UserName = "guest", Password = "guest" }
            .Uri
            .AbsoluteUri;
        stage.Settings = new ServerSettings
        {
            RabbitMq = stage.BrokerAs(stage.Name, stage._secret, stage.Name),
            Postgres = stage.PostgresAs(stage.Name, stage._secret),
            PolicyFolder = Path.Combine(RepositoryRoot(), "policies"),
            AuditFolder = Path.Combine(stage.Folder.FullName, "audit"),
            Urls = "http://127.0.0.1:8080",
        };
        return stage;
    }

    public string BrokerAs(string user, string password, string virtualHost) =>
        new UriBuilder(_broker)
        {
            UserName = user,
            Password = password,
            Path = virtualHost,
        }
            .Uri
            .AbsoluteUri;

    public string PostgresAs(string role, string password) =>
        new NpgsqlConnectionStringBuilder(Database.PostgresConnectionString) { Username = role, Password = password }.ConnectionString;

    public async Task<Diagnosis> DiagnoseAsync(ServerSettings? settings = null, TimeProvider? time = null)
    {
        var diagnosis = new Diagnosis(settings ?? Settings, Variables.GetValueOrDefault, time ?? TimeProvider.System);
        await diagnosis.RunAsync(Stop);
        return diagnosis;
    }

    public Task PermitAsync(BrokerRights rights) =>
        PutAsync(
            $"api/permissions/{Name}/{Name}",
            System.Text.Json.JsonSerializer.Serialize(
                new
                {
                    configure = rights.Configure,
                    write = rights.Write,
                    read = rights.Read,
                }
            )
        );

    public Task SetTagsAsync(string tags) => PutAsync($"api/users/{Name}", $$"""{"password":"{{_secret}}","tags":"{{tags}}"}""");

    public async Task PutAsync(string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        (await _management.PutAsync(new Uri(path, UriKind.Relative), content, Stop)).EnsureSuccessStatusCode();
    }

    public async Task DeleteAsync(string path) =>
        (await _management.DeleteAsync(new Uri(path, UriKind.Relative), Stop)).EnsureSuccessStatusCode();

    /// <summary>The names of all exchanges and queues of the virtual host, without those of the broker.</summary>
    public async Task<IReadOnlyList<string>> PartsAsync()
    {
        var names = new List<string>();
        foreach (var kind in (string[])["queues", "exchanges"])
        {
            var answer = await _management.GetStringAsync(new Uri($"api/{kind}/{Name}", UriKind.Relative), Stop);
            using var list = System.Text.Json.JsonDocument.Parse(answer);
            names.AddRange(list.RootElement.EnumerateArray().Select(part => part.GetProperty("name").GetString()!));
        }

        return [.. names.Where(name => name.Length > 0 && !name.StartsWith("amq.", StringComparison.Ordinal))];
    }

    /// <summary>A file in the folder of the stage.</summary>
    public string Write(string name, string text, UnixFileMode mode = UnixFileMode.UserRead | UnixFileMode.UserWrite)
    {
        var path = Path.Combine(Folder.FullName, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(path, mode);
        }

        return path;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var path in (string[])[$"api/vhosts/{Name}", $"api/users/{Name}"])
        {
            await DeleteAsync(path);
        }

        await _roles.RemoveAsync(Name, CancellationToken.None);
        await _roles.DisposeAsync();
        _management.Dispose();
        Folder.Delete(recursive: true);
    }

    private static string VariableOrSkip(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Assert.SkipWhen(string.IsNullOrEmpty(value), $"{name} is not set: run the tests with ops/test.sh, which starts the servers.");
        return value!;
    }

    private static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "Dispatcher.sln")))
        {
            folder = folder.Parent ?? throw new InvalidOperationException("The tests do not run below the repository.");
        }

        return folder.FullName;
    }
}
