using System.CommandLine;
using System.Text.Json;
using Dispatcher.Base;
using Dispatcher.Broker;
using Dispatcher.CommandLine.Identities;
using Dispatcher.Contracts;

namespace Dispatcher.CommandLine.QueueMigrations;

/// <summary><c>dispatcher queues migrate</c>: gives existing queues the arguments of this version.</summary>
internal static class QueuesMigrateVerb
{
    /// <summary>Made for one run. Only such a user may publish a message under the name of its sender.</summary>
    private const string User = "dispatcher-queues-migrate";
    private const string ImpersonatorTag = "impersonator";
    private static readonly TimeSpan MaxStale = TimeSpan.FromSeconds(6);
    private const string Everything = @"^(amq\.default|dispatcher\..*)$";

    private static readonly Option<bool> DryRun = new("--dry-run") { Description = "Only list the queues that would be migrated." };

    public static Command Create(ServerVerbs verbs) =>
        new("queues", "Change queues of the broker.")
        {
            verbs.Add(
                new Verb(
                    "migrate",
                    "Give the queues that an earlier version declared the arguments of this version, and keep their messages. Refuses "
                        + "while such a queue has consumers. Finishes what a killed run began; changes nothing when all "
                        + "arguments are right.",
                    "dispatcher queues migrate --dry-run",
                    "dispatcher queues migrate"
                )
                {
                    IdentityParameters.RabbitMq,
                    DryRun,
                },
                (call, cancellationToken) =>
                    IdentityAccess.RunAsync(
                        call,
                        verbs.HasKey(call.Arguments),
                        access => RunAsync(call, access, call.Arguments.GetValue(DryRun), cancellationToken)
                    ),
                IdentityParameters.Json
            ),
        };

    private static async Task<ExitCode> RunAsync(ServerCall call, IdentityAccess access, bool dryRun, CancellationToken cancellationToken)
    {
        await CheckAloneAsync(access.Broker, cancellationToken);
        var password = GeneratedSecret.New();
        await access.Broker.PutUserAsync(User, GeneratedSecret.RabbitMqHash(password), dryRun ? "" : ImpersonatorTag, cancellationToken);
        try
        {
            await access.Broker.PermitAsync(User, new BrokerRights(Everything, Everything, Everything), cancellationToken);
            await using var connection = new RabbitConnection(new Uri(access.AddressOf(User, password)), "dispatcher queues migrate");
            await using var migration = new QueueMigration(
                connection,
                new QueueFacts(access.Broker.QueuesAsync, access.Broker.BindingsAsync, access.Broker.MessagesAsync),
                step => Note(call, step)
            );
            Show(call, dryRun, await MigrateAsync(access, migration, dryRun, cancellationToken));
            return ExitCode.Done;
        }
        finally
        {
            await RemoveUserAsync(call, access.Broker);
        }
    }

    /// <summary>Two runs would move the messages of each other.</summary>
    private static async Task CheckAloneAsync(BrokerManagement broker, CancellationToken cancellationToken)
    {
        if (
            (await broker.UsersAsync(cancellationToken)).Any(user => user.Name == User)
            && (await broker.ConnectionsAsync(cancellationToken)).Any(connection => connection.User == User)
        )
        {
            throw new ExitException(
                ExitCode.No,
                $"Another run of the command is connected to the broker as {User}.",
                "Wait until it ends. If it was killed, repeat the command after some seconds."
            );
        }
    }

    /// <summary>
    /// Also after Ctrl-C: the user may do more than any other. A failure does not replace the fault for which the command ends.
    /// </summary>
    private static async Task RemoveUserAsync(ServerCall call, BrokerManagement broker)
    {
        try
        {
            await broker.DeleteUserAsync(User, CancellationToken.None);
        }
        catch (ExitException failed)
        {
            call.Screen.Failure(
                $"The broker user {User} was not removed, and it may publish as any other user: {failed.Message}",
                $"Remove it with \"rabbitmqctl delete_user {User}\"."
            );
        }
    }

    /// <summary>A server declares a deleted queue again with its own arguments within seconds.</summary>
    private static async Task CheckNoServerAsync(BrokerManagement broker, CancellationToken cancellationToken)
    {
        for (var began = TimeProvider.System.GetTimestamp(); ; )
        {
            var servers = (await broker.ConnectionsAsync(cancellationToken))
                .Where(connection => connection.Name == RabbitTopology.ConnectionName)
                .ToList();
            if (servers.Count == 0)
            {
                return;
            }

            // The broker forgets a closed connection within some seconds.
            if (TimeProvider.System.GetElapsedTime(began) > MaxStale)
            {
                throw new ExitException(
                    ExitCode.No,
                    $"{servers.Count} server(s) are connected to the broker, the first from {servers[0].Host}.",
                    "Stop all servers, and repeat the command. Producers may go on."
                );
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, cancellationToken);
        }
    }

    private static async Task<IReadOnlyList<(string Queue, int Moved)>> MigrateAsync(
        IdentityAccess access,
        QueueMigration migration,
        bool dryRun,
        CancellationToken cancellationToken
    )
    {
        var existing = await access.Broker.QueuesAsync(cancellationToken);
        var pools = existing.Concat(QueueMigration.Begun(existing)).Where(IsOfPool).Select(queue => queue[Queues.Work("").Length..]);
        var needed = new List<TopologyPart>();
        foreach (var part in TopologyPart.OfServer.Concat(pools.Distinct().Select(TopologyPart.OfPool)))
        {
            if (part.QueueName is not null && await migration.IsNeededAsync(part, cancellationToken))
            {
                needed.Add(part);
            }
        }

        if (dryRun)
        {
            return [.. needed.Select(part => (part.QueueName!, 0))];
        }

        if (needed.Count > 0)
        {
            await CheckNoServerAsync(access.Broker, cancellationToken);
        }

        var migrated = new List<(string, int)>();
        foreach (var part in needed)
        {
            migrated.Add((part.QueueName!, await migration.MigrateAsync(part, cancellationToken)));
        }

        await migration.FinishAsync(cancellationToken);
        return migrated;
    }

    private static bool IsOfPool(string queue) => queue.StartsWith(Queues.Work(""), StringComparison.Ordinal);

    private static void Note(ServerCall call, string step)
    {
        if (!call.Json)
        {
            call.Screen.Line(step);
        }
    }

    private static void Show(ServerCall call, bool dryRun, IReadOnlyList<(string Queue, int Moved)> migrated)
    {
        if (call.Json)
        {
            var rows = migrated.Select(row => new { queue = row.Queue, messages = dryRun ? (int?)null : row.Moved });
            call.Screen.Json(JsonSerializer.Serialize(new { dry_run = dryRun, queues = rows }));
            return;
        }

        call.Screen.Line(
            migrated.Count == 0 ? "All queues have the arguments of this version."
            : dryRun ? $"To migrate: {string.Join(", ", migrated.Select(row => row.Queue))}."
            : $"Migrated: {string.Join(", ", migrated.Select(row => $"{row.Queue} ({row.Moved} message(s))"))}."
        );
    }
}
