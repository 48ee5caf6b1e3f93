using System.Globalization;
using System.Text;
using Dispatcher.Broker;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.CommandLine.Diagnosing;

/// <summary>
/// Checks of the broker as the server connects to it: user, version, limit of messages and existing exchanges and queues. They declare
/// nothing that is missing.
/// </summary>
internal static class BrokerChecks
{
    private const string Where = "DISPATCHER_RABBITMQ (or --rabbitmq)";
    private const ushort AccessRefused = 403;
    private const ushort NotFound = 404;
    private const ushort PreconditionFailed = 406;

    private static readonly TimeSpan LimitTime = TimeSpan.FromSeconds(10);

    /// <summary>The first version whose quorum queues dead-letter at least once.</summary>
    private static readonly Version OldestVersion = new(3, 10);

    /// <param name="diagnosis">Gets the findings.</param>
    /// <param name="pools">The pools of the policy folder.</param>
    /// <param name="cancellationToken">Ends the checks.</param>
    public static async Task RunAsync(Diagnosis diagnosis, IReadOnlyList<string> pools, CancellationToken cancellationToken)
    {
        var address = diagnosis.Settings.RabbitMq!;
        await using var connection = new RabbitConnection(new Uri(address), "dispatcher doctor");
        var isConnected = await diagnosis.ConnectedAsync(
            "broker",
            new ConnectionSettings(RabbitMq: address),
            "the broker's version, limit, exchanges and queues: it cannot be used",
            async () =>
            {
                var open = await connection.OpenAsync(cancellationToken);
                CheckVersion(diagnosis, open);
                await CheckPartsAsync(
                    diagnosis,
                    connection,
                    [.. TopologyPart.OfServer, .. pools.Select(TopologyPart.OfPool)],
                    cancellationToken
                );
                await CheckLimitAsync(diagnosis, token => BrokerLimit.ProbeAsync(open, token), LimitTime, cancellationToken);
            }
        );
        if (connection.User == ManagementChecks.Guest)
        {
            diagnosis.Error(
                "guest",
                Where,
                "the server would use the user guest, whose password everybody knows",
                "a user of its own",
                "dispatcher identity create NAME --kind server, and set DISPATCHER_RABBITMQ_FILE to the file that it writes"
            );
        }

        if (isConnected)
        {
            await ManagementChecks.RunAsync(diagnosis, connection.User, connection.VirtualHost, pools, cancellationToken);
        }
        else
        {
            diagnosis.Skip("rights and tags of the broker user, and policies of the broker: the broker cannot be used");
        }
    }

    private static void CheckVersion(Diagnosis diagnosis, IConnection open)
    {
        var text =
            open.ServerProperties?.TryGetValue("version", out var version) == true && version is byte[] bytes
                ? Encoding.UTF8.GetString(bytes)
                : "";
        var digits = text.Split('.');
        var isKnown =
            digits.Length > 1
            && int.TryParse(digits[0], CultureInfo.InvariantCulture, out _)
            && int.TryParse(digits[1], CultureInfo.InvariantCulture, out _);
        if (isKnown && Version.Parse($"{digits[0]}.{digits[1]}") < OldestVersion)
        {
            diagnosis.Error(
                "broker_version",
                Where,
                $"the broker has version {text}",
                $"RabbitMQ {OldestVersion} or later, whose quorum queues dead-letter at least once",
                "Upgrade the broker."
            );
        }
    }

    /// <summary>
    /// Compares the exchanges and queues that exist. A declaration of an existing part changes nothing, and the broker refuses it if its
    /// arguments differ.
    /// </summary>
    private static async Task CheckPartsAsync(
        Diagnosis diagnosis,
        RabbitConnection connection,
        IReadOnlyList<TopologyPart> parts,
        CancellationToken cancellationToken
    )
    {
        await using var channel = new RabbitChannel(connection, new CreateChannelOptions(false, false));
        foreach (var part in parts)
        {
            try
            {
                await part.FindAsync(await channel.OpenAsync(cancellationToken), cancellationToken);
                await part.CompareAsync(await channel.OpenAsync(cancellationToken), cancellationToken);
            }
            catch (OperationInterruptedException missing) when (missing.ShutdownReason?.ReplyCode == NotFound)
            {
                // The server declares it at its start.
            }
            catch (OperationInterruptedException wrong) when (wrong.ShutdownReason is { ReplyCode: PreconditionFailed } reason)
            {
                diagnosis.Error(
                    "topology_arguments",
                    part.Name,
                    reason.ReplyText,
                    "the arguments that the server declares",
                    ArgumentsFix(part, connection.VirtualHost)
                );
            }
            catch (OperationInterruptedException refused) when (refused.ShutdownReason is { ReplyCode: AccessRefused } reason)
            {
                diagnosis.Error(
                    "broker_rights",
                    $"user {connection.User}",
                    $"it may not declare {part.Name}: {reason.ReplyText}",
                    "the rights of the server's user, \"Broker users\" in ops/README.md",
                    ManagementChecks.RightsFix(connection.User, connection.VirtualHost)
                );
                diagnosis.Skip("the arguments of further exchanges and queues: the user may not declare them");
                return;
            }
        }
    }

    /// <summary>A queue may hold jobs. An exchange holds nothing.</summary>
    private static string ArgumentsFix(TopologyPart part, string virtualHost) =>
        part.QueueName is not null
            ? "Stop all servers (for a pool's queue also its workers) and run \"dispatcher queues migrate\"; it keeps the messages."
            : $"Stop the servers, send DELETE /api/exchanges/{Uri.EscapeDataString(virtualHost)}/{part.Name.Split(' ')[1]} to the "
                + "management API, and start a server, which declares it again. Bindings of other programs to it must be made again.";

    /// <param name="diagnosis">Gets the finding.</param>
    /// <param name="probe">The limit of the broker. Null: it has none that protects a server.</param>
    /// <param name="longest">A broker with an alarm reads no message, and does not answer.</param>
    /// <param name="cancellationToken">Ends the check.</param>
    internal static async Task CheckLimitAsync(
        Diagnosis diagnosis,
        Func<CancellationToken, Task<long?>> probe,
        TimeSpan longest,
        CancellationToken cancellationToken
    )
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(longest);
        try
        {
            if (await probe(limit.Token).WaitAsync(limit.Token) is not null)
            {
                return;
            }

            diagnosis.Warning(
                "broker_message_size",
                "max_message_size of the broker",
                $"the broker accepts messages of more than {BrokerLimit.Advised} bytes, and one can fill the memory of a server",
                $"at most {BrokerLimit.Advised} bytes",
                $"Set max_message_size = {BrokerLimit.Recommended} in rabbitmq.conf."
            );
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            diagnosis.Skip(
                $"max_message_size of the broker: it did not take a message within {longest.TotalSeconds:0} s. A memory or disk alarm is a "
                    + "reason: rabbitmq-diagnostics check_alarms"
            );
        }
    }
}
