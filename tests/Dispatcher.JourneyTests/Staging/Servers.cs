using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Npgsql;

namespace Dispatcher.JourneyTests.Staging;

/// <summary>The private RabbitMQ and PostgreSQL that <c>ops/test.sh</c> starts. A journey without them is skipped, visibly.</summary>
internal static class Servers
{
    public const string Password = "journey";

    private static readonly Lazy<HttpClient> Management = new(() =>
        new HttpClient
        {
            BaseAddress = new Uri(VariableOrSkip("DISPATCHER_TEST_RABBITMQ_MANAGEMENT")),
            DefaultRequestHeaders =
            {
                Authorization = new AuthenticationHeaderValue(
                    "Basic",
                    Convert.ToBase64String(Encoding.ASCII.GetBytes(Uri.UnescapeDataString(Broker.UserInfo)))
                ),
            },
        }
    );

    private static Uri Broker => new(VariableOrSkip("DISPATCHER_TEST_RABBITMQ"));

    /// <summary>The management API with an administrator: the value of <c>DISPATCHER_RABBITMQ_MANAGEMENT</c>.</summary>
    public static string ManagementSetting =>
        VariableOrSkip("DISPATCHER_TEST_RABBITMQ_MANAGEMENT").Replace("://", $"://{Broker.UserInfo}@", StringComparison.Ordinal);

    public static Uri BrokerAs(string user, string vhost) => new($"amqp://{user}:{Password}@{Broker.Host}:{Broker.Port}/{vhost}");

    /// <summary>The same broker at its port with TLS.</summary>
    public static Uri TlsBrokerAs(string user, string vhost, string? host = null)
    {
        var broker = new Uri(VariableOrSkip("DISPATCHER_TEST_RABBITMQ_TLS"));
        return new($"amqps://{user}:{Password}@{host ?? broker.Host}:{broker.Port}/{vhost}");
    }

    /// <summary>The certificate of the CA of RabbitMQ and PostgreSQL.</summary>
    public static string AuthorityFile => VariableOrSkip("DISPATCHER_TEST_CA_FILE");

    public static string Postgres(string database) =>
        new NpgsqlConnectionStringBuilder(VariableOrSkip("DISPATCHER_TEST_POSTGRES")) { Database = database }.ConnectionString;

    public static Task RestartRabbitMqAsync() => RunAsync(VariableOrSkip("DISPATCHER_TEST_RESTART_RABBITMQ"), "kill");

    public static Task RestartPostgresAsync() => RunAsync(VariableOrSkip("DISPATCHER_TEST_RESTART_POSTGRES"), "kill");

    /// <summary>The broker's own command line, as a program to call.</summary>
    public static string RabbitMqCtl => VariableOrSkip("DISPATCHER_TEST_RABBITMQCTL");

    public static Task RabbitMqCtlAsync(params string[] arguments) => RunAsync(RabbitMqCtl, arguments);

    /// <summary>
    /// Makes the broker write its queues and bindings to disk: those in Mnesia, and the list of quorum queues in DETS tables. Without this,
    /// they are written within a few seconds, and a crash before that loses the newest ones.
    /// </summary>
    public static Task SyncRabbitMqAsync() => RunAsync(RabbitMqCtl, "eval", "mnesia:sync_log(), [ok = dets:sync(T) || T <- dets:all()].");

    public static async Task DropUserAsync(string user) =>
        await Management.Value.DeleteAsync(new Uri($"api/users/{user}", UriKind.Relative), Now);

    public static async Task MakeVhostAsync(string vhost) =>
        await DoneAsync(await Management.Value.PutAsync(new Uri($"api/vhosts/{vhost}", UriKind.Relative), null, Now));

    public static async Task DropVhostAsync(string vhost) =>
        await Management.Value.DeleteAsync(new Uri($"api/vhosts/{vhost}", UriKind.Relative), CancellationToken.None);

    /// <summary>A broker user with just these rights in one virtual host.</summary>
    public static async Task MakeUserAsync(string vhost, string user, string configure, string write, string read)
    {
        var made = await Management.Value.PutAsJsonAsync($"api/users/{user}", new { password = Password, tags = "" }, Now);

        // Users belong to the whole broker: another journey may have made this one in the same moment.
        if (!(await made.Content.ReadAsStringAsync(Now)).Contains("user_already_exists", StringComparison.Ordinal))
        {
            await DoneAsync(made);
        }

        await DoneAsync(
            await Management.Value.PutAsJsonAsync(
                $"api/permissions/{vhost}/{user}",
                new
                {
                    configure,
                    write,
                    read,
                },
                Now
            )
        );
    }

    /// <summary>A policy of the broker for the queues whose names match a pattern.</summary>
    public static async Task SetPolicyAsync(string vhost, string name, string pattern, IReadOnlyDictionary<string, object> definition) =>
        await DoneAsync(
            await Management.Value.PutAsJsonAsync(
                $"api/policies/{vhost}/{name}",
                new Dictionary<string, object>
                {
                    ["pattern"] = pattern,
                    ["definition"] = definition,
                    ["apply-to"] = "queues",
                },
                Now
            )
        );

    /// <summary>Limits a user's routing keys (write) and binding keys (read) on a topic exchange.</summary>
    public static async Task LimitTopicsAsync(string vhost, string user, string exchange, string write, string read) =>
        await DoneAsync(
            await Management.Value.PutAsJsonAsync(
                $"api/topic-permissions/{vhost}/{user}",
                new
                {
                    exchange,
                    write,
                    read,
                },
                Now
            )
        );

    /// <summary>All exchanges, the default exchange (empty) among them.</summary>
    public static async Task<IReadOnlyList<string>> ExchangesAsync(string vhost)
    {
        var exchanges = await Management.Value.GetFromJsonAsync<JsonElement>($"api/exchanges/{vhost}?columns=name", Now);
        return [.. exchanges.EnumerateArray().Select(exchange => exchange.GetProperty("name").GetString()!)];
    }

    public static async Task<IReadOnlyList<string>> QueuesAsync(string vhost)
    {
        var queues = await Management.Value.GetFromJsonAsync<JsonElement>($"api/queues/{vhost}?columns=name", Now);
        return [.. queues.EnumerateArray().Select(queue => queue.GetProperty("name").GetString()!)];
    }

    /// <summary>The queues with their messages and consumers, and the bindings, for the message of a failure.</summary>
    public static async Task<string> TopologyAsync(string vhost)
    {
        var queues = await Management.Value.GetStringAsync(
            new Uri($"api/queues/{vhost}?columns=name,messages,consumers,state", UriKind.Relative),
            Now
        );
        var bindings = await Management.Value.GetStringAsync(
            new Uri($"api/bindings/{vhost}?columns=source,destination,routing_key", UriKind.Relative),
            Now
        );
        return $"queues: {queues}\nbindings: {bindings}";
    }

    /// <summary>The names of the connections that a user has open in a virtual host. No two connections have the same name.</summary>
    public static async Task<IReadOnlyList<string>> ConnectionsAsync(string vhost, string user)
    {
        var connections = await Management.Value.GetFromJsonAsync<JsonElement>($"api/vhosts/{vhost}/connections", Now);
        return
        [
            .. connections
                .EnumerateArray()
                .Where(connection => connection.TryGetProperty("user", out var name) && name.GetString() == user)
                .Select(connection => connection.GetProperty("name").GetString()!),
        ];
    }

    /// <summary>The users of all connections in a virtual host, and whether each has TLS.</summary>
    public static async Task<IReadOnlyList<(string User, bool IsEncrypted)>> AreEncryptedAsync(string vhost)
    {
        var connections = await Management.Value.GetFromJsonAsync<JsonElement>($"api/vhosts/{vhost}/connections", Now);
        return
        [
            .. connections
                .EnumerateArray()
                .Where(connection => connection.TryGetProperty("ssl", out _))
                .Select(connection => (connection.GetProperty("user").GetString()!, connection.GetProperty("ssl").GetBoolean())),
        ];
    }

    /// <summary>Has the broker close the connections that a user has in a virtual host; answers how many.</summary>
    public static async Task<int> CutConnectionsAsync(string vhost, string user)
    {
        IReadOnlyList<string> connections = [];
        await Eventually.IsAsync(
            async () => (connections = await ConnectionsAsync(vhost, user)).Count > 0,
            () => $"the broker lists a connection of {user}",
            TimeSpan.FromSeconds(30)
        );
        foreach (var name in connections)
        {
            await Management.Value.DeleteAsync(new Uri($"api/connections/{Uri.EscapeDataString(name)}", UriKind.Relative), Now);
        }

        return connections.Count;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static CancellationToken Now => TestContext.Current.CancellationToken;

    private static async Task RunAsync(string script, params string[] arguments)
    {
        await using var process = new ChildProcess(new Dictionary<string, string>(), script, arguments);
        Assert.True(await process.EndAsync(TimeSpan.FromSeconds(120)) == 0, process.Log);
    }

    private static async Task DoneAsync(HttpResponseMessage answer) =>
        Assert.True(
            answer.IsSuccessStatusCode,
            $"{answer.RequestMessage?.RequestUri}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(Now)}"
        );

    private static string VariableOrSkip(string name)
    {
        var value = Environment.GetEnvironmentVariable(name);
        Assert.SkipWhen(string.IsNullOrEmpty(value), $"{name} is not set: run the tests with ops/test.sh, which starts the servers.");
        return value!;
    }
}
