using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.CommandLine.Screens;
using Dispatcher.Storage;
using Dispatcher.Worker.RabbitMq;
using RabbitMQ.Client;

namespace Dispatcher.CommandLine.Identities;

/// <summary>
/// Broker, server and database as one call of <c>dispatcher identity</c> reaches them. The broker is always needed, the other two only for
/// kinds that have a part there.
/// </summary>
internal sealed class IdentityAccess : IAsyncDisposable
{
    private const int StandardPort = 5672;

    private readonly ServerCall _call;
    private readonly Lazy<IdentityRoles>? _roles;

    private IdentityAccess(ServerCall call, bool hasKey)
    {
        _call = call;
        HasServer = hasKey;
        var setting =
            ServerSettings.FromVariables(BrokerManagement.SettingName, call.Terminal.Variable)
            ?? throw new ExitException(
                ExitCode.WrongUse,
                "No management API of the broker is given.",
                $"Set {BrokerManagement.SettingName}, or {BrokerManagement.SettingName}_FILE to a file that contains it: "
                    + "http://admin:password@mq:15672 with a user that has the tag administrator."
            );
        var given =
            call.Arguments.GetValue(IdentityParameters.RabbitMq)
            ?? ServerSettings.FromVariables("DISPATCHER_RABBITMQ", call.Terminal.Variable);
        if (given is not null && BrokerAddress.Fault(given) is { } fault)
        {
            throw new ExitException(
                ExitCode.WrongUse,
                $"DISPATCHER_RABBITMQ (or --rabbitmq) is not the address of a broker: it {fault}.",
                "Give an address such as amqp://mq:5672/ or amqps://mq/vhost."
            );
        }

        RabbitMq = given is null ? new UriBuilder("amqp", ManagementHost(setting), StandardPort, "/").Uri : new Uri(given);
        Broker = new BrokerManagement(setting, new ConnectionFactory { Uri = RabbitMq }.VirtualHost);
        var postgres =
            call.Arguments.GetValue(IdentityParameters.Postgres)
            ?? ServerSettings.FromVariables("DISPATCHER_POSTGRES", call.Terminal.Variable);
        if (postgres is not null)
        {
            var connection = PostgresSetting.Read(postgres);
            Postgres = connection;
            _roles = new Lazy<IdentityRoles>(() => new IdentityRoles(connection));
        }
    }

    public BrokerManagement Broker { get; }

    /// <summary>The broker's address for programs. User and password in it have no meaning here.</summary>
    public Uri RabbitMq { get; }

    /// <summary>Whether a key for the server is set.</summary>
    public bool HasServer { get; }

    public ApiClient Server => _call.Api;

    /// <summary>The connection string of the owner of the tables. Null: not set.</summary>
    public string? Postgres { get; }

    public IdentityRoles Roles =>
        _roles?.Value
        ?? throw new ExitException(
            ExitCode.WrongUse,
            "No database is given.",
            "Set DISPATCHER_POSTGRES or DISPATCHER_POSTGRES_FILE to the owner of the tables, or give --postgres."
        );

    /// <summary>Runs a verb. Every fault of broker, server and database becomes an exit code and a message with its setting.</summary>
    public static async Task<ExitCode> RunAsync(ServerCall call, bool hasKey, Func<IdentityAccess, Task<ExitCode>> run)
    {
        await using var access = new IdentityAccess(call, hasKey);
        return await ServerRun.WithNamedSettingsAsync(new ConnectionSettings(access.Postgres), () => run(access));
    }

    /// <summary>The broker's address with the user and password of an identity.</summary>
    public string AddressOf(string user, string password) =>
        new UriBuilder(RabbitMq) { UserName = user, Password = password }
            .Uri
            .AbsoluteUri;

    /// <summary>The keys and bindings that are not revoked.</summary>
    public async Task<IReadOnlyList<PrincipalKey>> KeysAsync(CancellationToken cancellationToken) =>
        [
            .. (await Server.KeysAsync(cancellationToken))
                .BodyOrThrow()
                .Items("items")
                .Where(key => key.Text("revoked_at").Length == 0)
                .Select(key => new PrincipalKey(
                    key.Text("key_id"),
                    key.Text("subject"),
                    key.Text("person"),
                    [.. key.Items("roles").Select(role => role.AsText())]
                )),
        ];

    /// <summary>Revokes the keys of a subject, but not its bindings to persons. Returns how many.</summary>
    public async Task<int> RevokeKeysAsync(string subject, CancellationToken cancellationToken)
    {
        var keys = (await KeysAsync(cancellationToken)).Where(key => key.Subject == subject && key.Roles.Count > 0).ToList();
        foreach (var key in keys)
        {
            (await Server.RevokeKeyAsync(key.KeyId, cancellationToken)).BodyOrThrow();
        }

        return keys.Count;
    }

    /// <summary>Reads all that <c>list</c> and <c>check</c> show.</summary>
    public async Task<IdentityFacts> ReadAsync(CancellationToken cancellationToken)
    {
        var facts = new IdentityFacts
        {
            Administrator = Broker.Administrator,
            Users = await Broker.UsersAsync(cancellationToken),
            Permissions = await Broker.PermissionsAsync(cancellationToken),
            TopicPermissions = await Broker.TopicPermissionsAsync(cancellationToken),
            Connections = await Broker.ConnectionsAsync(cancellationToken),
        };
        facts = facts with { Server = HasServer ? await ServerFactsAsync(facts, cancellationToken) : null };
        return Postgres is null
            ? facts
            : facts with
            {
                Roles = await RoleRights.ReadAsync(
                    Roles.Database,
                    [.. facts.Principals().Select(principal => principal.Name)],
                    cancellationToken
                ),
            };
    }

    public async ValueTask DisposeAsync()
    {
        Broker.Dispose();
        if (_roles is { IsValueCreated: true })
        {
            await _roles.Value.DisposeAsync();
        }
    }

    private async Task<ServerFacts> ServerFactsAsync(IdentityFacts facts, CancellationToken cancellationToken)
    {
        var workers = (await Server.WorkersAsync(cancellationToken)).BodyOrThrow().Items("workers");
        var submitters = new HashSet<string>(StringComparer.Ordinal);
        foreach (
            var producer in facts
                .Principals()
                .Where(principal => principal.Identity?.Kind is IdentityKind.Producer or IdentityKind.MassTransitProducer)
        )
        {
            var jobs = await Server.JobsAsync(new Query(("principal", producer.Name), ("limit", 1)), cancellationToken);
            if (jobs.BodyOrThrow().Items("items").Any())
            {
                submitters.Add(producer.Name);
            }
        }

        return new ServerFacts(
            await KeysAsync(cancellationToken),
            [
                .. workers
                    .Where(worker => worker.Value("stale").ValueKind != JsonValueKind.True)
                    .Select(worker => new RegisteredWorker(
                        worker.Text("principal"),
                        worker.Text("pool"),
                        worker.Value("shared_credential").ValueKind == JsonValueKind.True
                    )),
            ],
            submitters
        );
    }

    private static string ManagementHost(string setting) =>
        Uri.TryCreate(setting, UriKind.Absolute, out var address) && address.Host.Length > 0 ? address.Host : "127.0.0.1";
}
