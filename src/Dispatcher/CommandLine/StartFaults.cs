using System.Data.Common;
using System.Net.Sockets;
using System.Security.Authentication;
using Dispatcher.Base;
using Dispatcher.Storage;
using Dispatcher.Worker.Effects;
using Dispatcher.Worker.RabbitMq;
using Microsoft.AspNetCore.Connections;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Options;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace Dispatcher.CommandLine;

/// <summary>
/// Turns the fault of a verb, or of the start of a server, into one message that names the setting, the seen value without secrets, and the
/// fix. An unknown fault has a message too; the log level <c>Debug</c> shows its stack.
/// </summary>
internal static class StartFaults
{
    private const string RabbitMqName = "DISPATCHER_RABBITMQ (or --rabbitmq)";
    private const string UnknownDatabase = "3D000";
    private const string BadConfigurationValue = "Failed to convert configuration value";

    public static ExitException Explain(Exception fault, ConnectionSettings settings) =>
        Chain(fault).OfType<ExitException>().FirstOrDefault()
        ?? OfOptions(fault)
        ?? Chain(fault).OfType<SqliteException>().Select(lost => OfSqlite(lost, settings.Data)).FirstOrDefault()
        ?? (
            settings.Postgres is { } postgres && Chain(fault).OfType<DbException>().FirstOrDefault() is { } database
                ? OfPostgres(database, postgres)
                : null
        )
        ?? (settings.RabbitMq is { } broker && Chain(fault).Any(IsOfBroker) ? OfRabbitMq(fault, broker) : null)
        ?? OfUrls(fault, settings)
        ?? new ExitException(
            fault is IOException or UnauthorizedAccessException or SocketException or DbException or BrokerUnreachableException
                ? ExitCode.Unreachable
                : ExitCode.WrongUse,
            $"The command failed: {fault.GetBaseException().Message} ({fault.GetBaseException().GetType().Name})",
            "Correct the setting or the file that the message names. DISPATCHER_LOG_LEVEL=Debug shows the stack.",
            fault
        );

    private static ExitException? OfOptions(Exception fault)
    {
        if (Chain(fault).OfType<OptionsValidationException>().FirstOrDefault() is { } wrong)
        {
            return new ExitException(
                ExitCode.WrongUse,
                string.Join("; ", wrong.Failures),
                "Correct the option; the message states the allowed values."
            );
        }

        return Chain(fault).FirstOrDefault(inner => inner.Message.StartsWith(BadConfigurationValue, StringComparison.Ordinal))
                is { } unreadable
                ? new ExitException(
                    ExitCode.WrongUse,
                    unreadable.Message,
                    "Correct the option: in the environment \"Section:Name\" is Section__Name."
                )
            : Chain(fault).OfType<PlatformNotSupportedException>().FirstOrDefault() is { } unable
                ? new ExitException(
                    ExitCode.WrongUse,
                    unable.Message,
                    "Correct the cause, or start the server with --no-worker and run the worker elsewhere."
                )
            : null;
    }

    private static ExitException OfSqlite(SqliteException fault, string? folder) =>
        new(
            ExitCode.Unreachable,
            "DISPATCHER_DATA (or --data): the database "
                + $"{(folder is null ? "" : EmbeddedFiles.Database(folder) + " ")}cannot be used: {fault.Message}",
            "Check that this user owns the folder and may write to it, and that the disk has free space."
        );

    private static ExitException OfPostgres(DbException fault, string postgres)
    {
        var (reason, fix) = fault switch
        {
            PostgresException { SqlState: UnknownDatabase } unknown => (
                unknown.MessageText,
                "Create the database with \"createdb\", or correct its name."
            ),
            PostgresException refused when refused.SqlState.StartsWith("28", StringComparison.Ordinal) => (
                refused.MessageText,
                "Correct user and password, or pg_hba.conf of the server. If that requires TLS, add SSL Mode=VerifyFull."
            ),
            PostgresException refused when refused.SqlState.StartsWith("42", StringComparison.Ordinal) => (
                $"{refused.SqlState} {refused.MessageText}",
                "PostgreSQL refused the statement; correct what its message names."
            ),
            PostgresException other => (
                $"{other.SqlState} {other.MessageText}",
                "PostgreSQL refused the connection; correct what its message names."
            ),
            _ when Chain(fault).Any(inner => inner is AuthenticationException) => (
                PostgresConnection.Reason(fault),
                $"Compare: openssl s_client -starttls postgres -connect {PostgresSetting.Host(postgres)}"
            ),
            _ => (
                Reason(fault),
                "Check host and port, and that PostgreSQL runs there and accepts connections from here. SSL Mode=VerifyFull needs ssl = on "
                    + "there."
            ),
        };
        return new ExitException(
            ExitCode.Unreachable,
            $"{PostgresSetting.Name}: {PostgresSetting.Shown(postgres)} cannot be used: {reason}",
            fix
        );
    }

    private static ExitException OfRabbitMq(Exception fault, string address)
    {
        var to = new ConnectionFactory { Uri = new Uri(address) };
        var tls = ServerCertificate.FaultOf(fault);
        var reason = tls?.Reason ?? Reason(fault);
        var fix =
            tls is { } found ? found.Fix
            : Chain(fault)
                .Any(inner =>
                    inner is AuthenticationFailureException || inner.Message.Contains("ACCESS_REFUSED - Login", StringComparison.Ordinal)
                )
                ? "Correct user and password; special characters in the address are percent-encoded."
            : reason.Contains("vhost", StringComparison.Ordinal) && reason.Contains("not found", StringComparison.Ordinal)
                ? $"Create the virtual host with \"rabbitmqctl add_vhost {to.VirtualHost}\", or correct the last part "
                    + "of the address: / alone is the default one."
            : reason.Contains("refused for user", StringComparison.Ordinal)
                ? $"Give the user its rights: \"rabbitmqctl set_permissions -p {to.VirtualHost} {to.UserName} …\"; "
                    + "ops/README.md lists them under \"Broker users\"."
            : "Check host and port, and that RabbitMQ runs there and accepts connections from here. For a TLS port write amqps://.";
        return new ExitException(
            ExitCode.Unreachable,
            $"{RabbitMqName}: {to.UserName}@{to.HostName}:{to.Endpoint.Port}{(to.Ssl.Enabled ? " (TLS)" : "")}, virtual host "
                + $"{to.VirtualHost}, cannot be used: {reason}",
            fix
        );
    }

    private static ExitException? OfUrls(Exception fault, ConnectionSettings settings)
    {
        // Kestrel reports an address in use by an IOException, other faults by an exception of the socket.
        var isOfKestrel = Chain(fault)
            .Any(inner =>
                inner is AddressInUseException
                || inner.StackTrace?.Contains("Microsoft.AspNetCore.Server.Kestrel", StringComparison.Ordinal) == true
            );
        return settings.Urls is not null && isOfKestrel
            ? new ExitException(
                ExitCode.Unreachable,
                $"DISPATCHER_URLS (or --urls): HTTP cannot listen at {settings.Urls}: {Reason(fault)}",
                "Stop the program that uses the address, or choose a free address and port of this machine; https also needs a certificate."
            )
            : null;
    }

    private static bool IsOfBroker(Exception fault) =>
        fault is BrokerUnreachableException or OperationInterruptedException or RabbitMQClientException;

    /// <summary>The innermost message, which names the cause.</summary>
    private static string Reason(Exception fault) => Chain(fault).Last().Message.TrimEnd('.');

    private static IEnumerable<Exception> Chain(Exception fault)
    {
        for (
            var inner = fault;
            inner is not null;
            inner = inner is AggregateException several ? several.InnerExceptions.FirstOrDefault() : inner.InnerException
        )
        {
            yield return inner;
        }
    }
}

/// <summary>The settings of a verb that address servers or folders. Null: the verb does not have the setting.</summary>
internal sealed record ConnectionSettings(string? Postgres = null, string? RabbitMq = null, string? Data = null, string? Urls = null)
{
    public static readonly ConnectionSettings None = new();
}
