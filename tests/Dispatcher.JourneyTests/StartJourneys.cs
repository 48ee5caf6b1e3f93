using Dispatcher.JourneyTests.Staging;
using Npgsql;

namespace Dispatcher.JourneyTests;

/// <summary>
/// Programs that are started with settings that cannot work. Each ends, names the setting and how to correct it, and shows no secret and no
/// stack.
/// </summary>
public sealed class StartJourneys
{
    private const int WrongUse = 2;
    private const int Unreachable = 3;

    /// <summary>Every secret of these settings.</summary>
    private const string Secret = "hushhush";

    [Theory]
    [InlineData("Hosst=127.0.0.1;Password=hushhush", WrongUse, "Did you mean \"Host\"")]
    [InlineData("Host=127.0.0.1;Port=many;Password=hushhush", WrongUse, "\"many\"")]
    [InlineData("hushhush", WrongUse, "neither a list of settings nor a postgres:// URL")]
    [InlineData("postgres://ana:hush/hushhush@db/jobs", WrongUse, "percent-encoded")]
    [InlineData("postgres://ana:hushhush@127.0.0.1:1/jobs", Unreachable, "ana@127.0.0.1:1/jobs")]
    [InlineData("Host=no.such.host.invalid;Username=ana;Password=hushhush", Unreachable, "ana@no.such.host.invalid:5432/ana")]
    public async Task Wrong_database_is_named_by_every_verb_that_has_the_setting(string postgres, int code, string said)
    {
        string[][] verbs =
        [
            ["serve", "--urls", Urls()],
            ["migrate"],
            ["audit", "verify"],
            ["audit", "export"],
        ];
        foreach (var verb in verbs)
        {
            await EndsAsync(
                new() { ["DISPATCHER_POSTGRES"] = postgres, ["DISPATCHER_RABBITMQ"] = "amqp://127.0.0.1:1/" },
                code,
                "DISPATCHER_POSTGRES",
                said,
                verb
            );
        }
    }

    [Fact]
    public async Task Wrong_part_of_an_address_of_the_servers_is_named()
    {
        await using var journey = await Journey.BeginAsync();
        var broker = Servers.BrokerAs(Journey.ServerUser, journey.Name);
        var good = new Dictionary<string, string>
        {
            ["DISPATCHER_RABBITMQ"] = broker.AbsoluteUri,
            ["DISPATCHER_POSTGRES"] = journey.ServePostgres,
        };
        string With(Action<UriBuilder> change)
        {
            var address = new UriBuilder(broker);
            change(address);
            return address.Uri.AbsoluteUri;
        }

        var database = new NpgsqlConnectionStringBuilder(journey.ServePostgres) { Database = "no_such_database" }.ConnectionString;
        var user = new NpgsqlConnectionStringBuilder(journey.ServePostgres) { Username = "no_such_user" }.ConnectionString;
        foreach (
            var (name, value, said) in new[]
            {
                ("DISPATCHER_RABBITMQ", With(address => address.Path = "/no_such_vhost"), "rabbitmqctl add_vhost no_such_vhost"),
                ("DISPATCHER_RABBITMQ", With(address => address.Password = Secret), "Correct user and password"),
                ("DISPATCHER_RABBITMQ", With(address => (address.Port, address.Password) = (1, Secret)), "127.0.0.1:1"),
                ("DISPATCHER_POSTGRES", database, "no_such_database"),
                ("DISPATCHER_POSTGRES", user, "no_such_user"),
            }
        )
        {
            await EndsAsync(new(good) { [name] = value }, Unreachable, name, said, "serve", "--urls", Urls());
        }

        await EndsAsync(
            new(good) { ["DISPATCHER_RABBITMQ"] = $"http://guest:{Secret}@127.0.0.1/" },
            WrongUse,
            "DISPATCHER_RABBITMQ",
            "http://",
            "serve",
            "--urls",
            Urls()
        );
        await EndsAsync(new(good), WrongUse, "DISPATCHER_URLS", "here", "serve", "--urls", "here");
    }

    [Fact]
    public async Task URL_of_the_database_serves()
    {
        await using var journey = await Journey.BeginAsync();
        var to = new NpgsqlConnectionStringBuilder(journey.ServePostgres);
        await using var server = ChildProcess.OfOutput(
            "dispatcher.dll",
            new Dictionary<string, string>
            {
                ["DISPATCHER_RABBITMQ"] = Servers.BrokerAs(Journey.ServerUser, journey.Name).AbsoluteUri,
                ["DISPATCHER_POSTGRES"] = $"postgres://{to.Username}@{to.Host}:{to.Port}/{to.Database}?application_name=by%20url",
            },
            "serve",
            "--urls",
            Urls(),
            "--policies",
            journey.Policies.Folder,
            "--audit",
            journey.Audit
        );

        await Eventually.IsAsync(() => server.Log.Contains("HTTP listens at http://127.0.0.1:", StringComparison.Ordinal), "it serves");

        Assert.Equal(0, await server.StopAsync());
    }

    [Fact]
    public async Task Taken_address_is_named()
    {
        var data = Directory.CreateTempSubdirectory("start-journey-").FullName;
        using var other = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        other.Start();

        await EndsAsync(
            [],
            Unreachable,
            "DISPATCHER_URLS",
            "Address already in use",
            "serve",
            "--no-worker",
            "--data",
            data,
            "--urls",
            $"http://{other.LocalEndpoint}"
        );

        Directory.Delete(data, recursive: true);
    }

    [Fact]
    public async Task Missing_role_is_a_fault_of_the_statement_that_names_it()
    {
        await using var journey = await Journey.BeginAsync();

        await EndsAsync(
            new() { ["DISPATCHER_POSTGRES"] = journey.Postgres },
            Unreachable,
            "DISPATCHER_POSTGRES",
            "role \"no_such_role\" does not exist\n  fix: PostgreSQL refused the statement",
            "migrate",
            "--serve-role",
            "no_such_role"
        );
    }

    private static string Urls() => $"http://127.0.0.1:{Servers.FreePort()}";

    private static async Task EndsAsync(Dictionary<string, string> environment, int code, string setting, string said, params string[] call)
    {
        await using var program = ChildProcess.OfOutput("dispatcher.dll", environment, call);

        var ended = await program.EndAsync(TimeSpan.FromSeconds(60));

        var seen = $"{string.Join(' ', call)} with {string.Join(' ', environment.Values)} ended with {ended}:\n{program.Log}";
        Assert.True(ended == code, seen);
        Assert.True(
            program.Log.Contains($"error: {setting}", StringComparison.Ordinal) && program.Log.Contains(said, StringComparison.Ordinal),
            seen
        );
        Assert.False(
            program.Log.Contains(Secret, StringComparison.Ordinal) || program.Log.Contains("   at ", StringComparison.Ordinal),
            seen
        );
    }
}
